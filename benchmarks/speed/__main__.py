"""Speed benchmark, `python -m benchmarks.speed`: chainrule beside its peers; see `--help`."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import chainrule as cr
from benchmarks.machine import cores, machine, versions
from benchmarks.speed.growth import costs
from benchmarks.speed.picture import draw
from benchmarks.speed.report import (
    GROWTH,
    HEADINGS,
    Row,
    as_json,
    cells,
    described,
    growth_cells,
    page,
    rows_of,
)
from benchmarks.speed.turns import Contenders, take_turns
from benchmarks.speed.work import WORKS, Data, Work
from chainrule.cli.console import print_table

FIGURES = Path("benchmarks/results/benchmarks.json")
PAGE, PICTURE = Path("docs/benchmarks.md"), Path("docs/pictures/speed.png")
REPEATS = 5
QUICK_REPEATS, QUICK_IMAGES = 2, 6_400
SLOW_TO_START = {"torch.compile"}
"""Left out of a quick look: compiling takes longer than the work."""


def say(line: str) -> None:
    """One line for people about what is going on, on stderr."""
    print(line, file=sys.stderr, flush=True)


def write_data(folder: Path, images: int | None) -> None:
    """MNIST, or its first so many training images, where the contenders look for it."""
    mnist = cr.load("mnist")
    arrays = [*(part[:images] for part in mnist.train), *mnist.test]
    raw = {}
    for name, array in zip(Data.ARRAYS, arrays, strict=True):
        np.save(folder / f"{name}.npy", array)
        pixels = name.startswith("X")
        raw[name] = np.rint(array * 255).astype(np.uint8) if pixels else array.astype(np.uint8)
        header = bytes(16 if pixels else 8)
        (folder / f"{name}.idx").write_bytes(header + raw[name].tobytes())
    np.savez_compressed(folder / "mnist.npz", **raw)


def entries(work: Work, *, quick: bool) -> list[tuple[str, int]]:
    """The (peer, threads) that do a piece of work: ours first, each with 1 and with 2 threads."""
    peers = ["ours", *["ours, compiled"] * work.compilable, *(peer for peer in work.goals if peer)]
    if work.kind in ("train", "predict"):
        peers = [*dict.fromkeys([*peers, "sgemm"])]
    if work.kind == "load":
        peers += ["idx parse", "keras npz"]
    threads = (1, 2) if cores() > 1 and work.kind in ("train", "predict") else (cores(),)
    return [
        (peer, count)
        for peer in peers
        for count in (threads[-1:] if quick else threads)
        if not (quick and peer in SLOW_TO_START)
    ]


def main(
    only: Annotated[str, typer.Option(help="Such as T1 or T3,T4 or growth.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A look in under 2 minutes.")] = False,
    as_object: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/benchmarks.md, its picture and the JSON.")
    ] = False,
) -> None:
    """Times chainrule beside its peers: the same work, in turns, on this machine."""
    wanted = {name for name in only.split(",") if name}
    unknown = wanted - {work.name for work in WORKS} - {"growth"}
    if unknown:
        choices = ", ".join(work.name for work in WORKS)
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose among {choices}, growth")
    rows: list[Row] = []
    growth = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, QUICK_IMAGES if quick else None)
        images = QUICK_IMAGES if quick else 60_000
        with Contenders() as contenders:
            for work in WORKS:
                if not wanted or work.name in wanted:
                    measured = take_turns(
                        work,
                        entries(work, quick=quick),
                        contenders=contenders,
                        folder=folder,
                        repeats=QUICK_REPEATS if quick else REPEATS,
                        say=say,
                    )
                    rows += rows_of(work, measured, images=images)
        if not wanted or "growth" in wanted:
            growth = [asdict(cost) for cost in costs(folder, quick=quick, say=say)]
    result = as_json(rows, machine=machine(), versions=versions(), growth=growth)
    if write:
        write_all(rows, result)
    if as_object:
        print(json.dumps(result))
        return
    if rows:
        print_table(described(result), HEADINGS, [cells(row) for row in rows])
    if growth:
        print_table(described(result), GROWTH, [growth_cells(point) for point in growth])


def write_all(rows: list[Row], result: dict[str, Any]) -> None:
    """The figures as JSON, as a page and as a picture, in the repository."""
    FIGURES.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(page(rows, result))
    draw(rows, PICTURE, caption=described(result))


if __name__ == "__main__":
    typer.run(main)

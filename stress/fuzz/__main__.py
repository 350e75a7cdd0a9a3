"""Fuzzing of the readers with damaged files: python -m stress.fuzz --inputs 1000000

Every reader of the library gets nearly valid files, half of them with lengths and checksums
repaired. It must accept each or refuse it with its own error, within a second and with little
memory. A failing input is written to a file, which is named, and the exit code is 1. The same seed
makes the same files.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from chainrule.cli.console import print_table
from stress.fuzz.readers import READERS
from stress.fuzz.runs import BLOCK, MOST_MEMORY, SLOWEST, Count, run
from stress.table import Row

SHARE = 50
"""Blocks that a process does at a time."""
COLUMNS = ("reader", "inputs", "accepted", "refused", "other", "slowest ms", "MiB", "inputs/s")
MEMORY = Path("/dev/shm")


def shares(inputs: int) -> Iterator[tuple[int, int]]:
    """(first block, inputs) of each share."""
    for start in range(0, inputs, SHARE * BLOCK):
        yield start // BLOCK, min(SHARE * BLOCK, inputs - start)


def fuzz(
    names: Sequence[str], *, inputs: int, seed: int, jobs: int, keep: Path
) -> dict[str, Count]:
    """What became of so many files of each reader; each job is a process of its own."""
    counts = {name: Count() for name in names}
    folder = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="fuzz-") as place:
        work = [(name, *share) for name in names for share in shares(inputs)]
        options = {"place": Path(place), "keep": keep}
        if jobs == 1:
            for name, first, share in work:
                counts[name].add(run(name, seed, first, share, **options))
            return counts
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            waiting = {
                pool.submit(run, name, seed, first, share, **options): name
                for name, first, share in work
            }
            for done in as_completed(waiting):
                counts[waiting[done]].add(done.result())
    return counts


def rows(short: bool) -> Iterator[Row]:
    """Damaged files for each reader."""
    inputs = 2000 if short else 1_000_000
    keep = Path("build/fuzz")
    keep.mkdir(parents=True, exist_ok=True)
    for name in READERS:
        count = fuzz([name], inputs=inputs, seed=0, jobs=2, keep=keep)[name]
        yield Row(
            f"{inputs:,} damaged files: {name}",
            f"{count.others} other exceptions, slowest {count.slowest_ms:.0f} ms, "
            f"+{count.memory_mb:.0f} MiB",
            f"0, <= {1000 * SLOWEST:.0f} ms, <= {MOST_MEMORY} MiB",
            not count.failed(),
        )


def row(name: str, count: Count) -> list[str]:
    """One line of the table."""
    return [
        name,
        *(f"{number:,}" for number in (count.inputs, count.accepted, count.refused, count.others)),
        f"{count.slowest_ms:.0f}",
        f"{count.memory_mb:.0f}",
        f"{count.inputs / max(count.seconds, 1e-9):,.0f}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what became of the files; 1 if anything happened that must not."""
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m stress.fuzz", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--inputs", type=int, default=1_000_000, help="files for each reader")
    parser.add_argument("--only", default=",".join(READERS), help="readers, with commas between")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where findings go")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    names = asked.only.split(",")
    if unknown := [name for name in names if name not in READERS]:
        parser.error(f"no reader {unknown[0]!r}: choose among {', '.join(READERS)}")
    asked.keep.mkdir(parents=True, exist_ok=True)
    counts = fuzz(names, inputs=asked.inputs, seed=asked.seed, jobs=asked.jobs, keep=asked.keep)
    if asked.json:
        print(json.dumps({name: asdict(count) for name, count in counts.items()}))
    else:
        title = f"{asked.inputs:,} damaged files for each reader, seed {asked.seed}"
        print_table(title, COLUMNS, [row(name, count) for name, count in counts.items()])
    for count in counts.values():
        for finding in count.findings[:20]:
            print(finding, file=sys.stderr)
    return 1 if any(count.failed() for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

"""`chainrule data`: which data there are, from where, and their checksums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.console import Classes, Json, Offline, Quiet, names, note, print_json, silence

if TYPE_CHECKING:
    from chainrule.data.dataset import Dataset


def data(
    source: Annotated[
        str, typer.Argument(metavar="[NAME|PATH]", help="A data set to fetch, or a path to read.")
    ] = "",
    classes: Classes = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """List the data on this disk with their checksums; with a name or a path, read that one.

    Example: chainrule data mnist
    """
    from chainrule.data.caches import cache_folder
    from chainrule.data.catalog import SOURCES
    from chainrule.data.load import inventory
    from chainrule.runs.folder import Origin, load_data

    if source:
        origin = Origin(source, classes=names(classes))
        say = silence if quiet else note
        _describe(load_data(origin, offline=offline, report=say), json=json)
        return
    rows = inventory()
    if json:
        found = [
            {"name": row.name, "place": row.tool, "path": str(row.path), "verified": row.verified,
             "checksums": row.checksums, "note": row.note}
            for row in rows
        ]  # fmt: skip
        print_json({"cache": str(cache_folder()), "names": list(SOURCES), "found": found})
        return
    print(f"cache: {cache_folder()}")
    for row in rows:
        print(f"{row.name}: {row.path} ({row.tool})")
        for part, checksum in row.checksums.items():
            print(f"  {part:<13} sha256 {checksum}")
        print("  checksums hold" if row.verified else f"  DAMAGED: {row.note}")
    missing = [name for name in SOURCES if name not in {row.name for row in rows}]
    if missing:
        print(f"not on this disk: {', '.join(missing)}; to fetch one: chainrule data NAME")


def _describe(dataset: Dataset, *, json: bool) -> None:
    height, width = dataset.shape
    if json:
        print_json(
            {
                "name": dataset.name,
                "source": dataset.source,
                "train": len(dataset.train.labels),
                "test": len(dataset.test.labels),
                "shape": [height, width],
                "classes": list(dataset.classes),
                "checksums": dataset.checksums,
            }
        )
        return
    print(f"{dataset.name}: {dataset.source}")
    print(
        f"  {len(dataset.train.labels):,} images to train on, {len(dataset.test.labels):,} to "
        f"test on, {height} x {width} pixels, {len(dataset.classes)} classes: "
        f"{', '.join(dataset.classes)}"
    )
    for part, checksum in dataset.checksums.items():
        print(f"  {part:<13} sha256 {checksum}")

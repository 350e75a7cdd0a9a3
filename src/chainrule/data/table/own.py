"""Own table as a data set: a path, its target, its test part, its inputs standardised.

Mean and standard deviation are those of the training part, without the rows held out as test; what
was left out or replaced is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.core.arrays import Array, Int
from chainrule.core.errors import ConfigError, DataError
from chainrule.core.files import expanded
from chainrule.core.schema import Schema
from chainrule.core.tables import remedy
from chainrule.data.dataset import HELD_OUT, Dataset, Part, assemble, hold_out
from chainrule.data.remarks import absent
from chainrule.data.table.encode import Encoded, encode, measure
from chainrule.data.table.files import Read, read_table
from chainrule.data.table.target import labels_of

MEAN, DROP = "mean", "drop"
MISSING = (MEAN, DROP)
"""What becomes of an empty cell: the column's mean, or its row is left out."""


class _Rows(NamedTuple):
    """Rows of one file that have a label."""

    read: Read
    rows: Int[Array, " N"]
    labels: Int[Array, " N"]


def from_table(
    path: str | Path,
    test_path: str | Path | None = None,
    *,
    label: str = "",
    missing: str = "",
    classes: Sequence[str] = (),
    split: bool = True,
    schema: Schema | None = None,
) -> Dataset:
    """Data set of a table; the arguments are those of `load`.

    Without `test_path` one row in seven of each class is held out as test, or, with split=False,
    all rows are both parts. With `schema`, a network's, the table is read as its own was. Raises
    DataError for a table that cannot be used, ConfigError for a setting that is none.
    """
    if missing and missing not in MISSING:
        raise ConfigError(f"missing {missing!r}: {remedy(missing, MISSING)}")
    path = expanded(path)
    read = read_table(path, label=label, schema=schema).all_right()
    if read.target is None:
        assert schema is not None
        raise DataError(
            f"{path} has no column {schema.target!r}, with the labels to measure on; bring it, or "
            "predict them: chainrule predict."
        )
    target = labels_of(read.table, read.target, classes)
    notes = [*read.table.notes, *target.notes]
    train = _Rows(read, target.rows, target.labels)
    test, source = train, str(path)
    if test_path is not None:
        other = expanded(test_path)
    elif split:
        train, test = _divided(train)
        source = f"{path}, 1 row in {HELD_OUT} of each class held out as test"
    if schema is None:
        measured = measure(read.table, train.rows, read.target)
        schema = measured.schema
        notes += measured.notes
    if test_path is not None:
        test = _like(other, schema, target.classes, notes)
        source = f"{path}, test {other}"
    parts = {"training": train, "test": test} if train is not test else {"": train}
    made = [_part(part, schema, missing, name, notes) for name, part in parts.items()]
    dataset = assemble(
        made[0], made[-1], name=path.stem, classes=target.classes, source=source, schema=schema,
    )  # fmt: skip
    return replace(dataset, notes=(*notes, *absent(dataset)))


def _divided(rows: _Rows) -> tuple[_Rows, _Rows]:
    """Those to train on and one in seven of each class."""
    parts = hold_out(Part(rows.rows, rows.labels))
    return _Rows(rows.read, *parts[0][:2]), _Rows(rows.read, *parts[1][:2])


def _like(path: Path, schema: Schema, classes: Sequence[str], notes: list[str]) -> _Rows:
    """Rows of a test part of its own, read as that of training was."""
    read = read_table(path, schema=schema).all_right()
    if read.target is None:
        raise DataError(f"{path} has no column {schema.target!r} for the labels; bring it.")
    target = labels_of(read.table, read.target, classes)
    notes += [f"{path}: {note}" for note in (*read.table.notes, *target.notes)]
    return _Rows(read, target.rows, target.labels)


def _part(part: _Rows, schema: Schema, missing: str, name: str, notes: list[str]) -> Part:
    """Inputs and labels of these rows, as images of one line each."""
    read = part.read
    places = read.places or [column.place for column in schema.columns]
    encoded = encode(read.table.only(part.rows), schema, places)
    X, labels = encoded.X, part.labels
    if not (finite := np.isfinite(X).all(axis=1)).all():
        row = int(part.rows[int(np.argmin(finite))])
        raise DataError(
            f"{read.table.row(row)}: a number is too far from those of the training part; correct "
            "it, or leave the cell empty."
        )
    notes += remarks(encoded, missing or MEAN, f"{name} part" if name else "table")
    if missing == DROP:
        X, labels = X[~encoded.blank], labels[~encoded.blank]
        if not len(X):
            raise DataError(
                f"{read.table.source}: every row has an empty cell, so none is left; keep them "
                "with --missing mean."
            )
    return Part(X[:, None, :], labels)


def remarks(encoded: Encoded, missing: str, where: str) -> list[str]:
    """Sentences on empty cells and on words that were not there in training.

    `missing` is the setting that decided; empty: there was none to choose.
    """
    said = []
    if encoded.empty:
        columns = ", ".join(f"{name!r} {count:,}" for name, count in encoded.empty.items())
        rows = int(np.count_nonzero(encoded.blank))
        what = (
            f"{rows:,} rows with an empty cell are left out (--missing mean keeps them)"
            if missing == DROP
            else f"empty cells in {rows:,} rows are replaced by the mean of training, words by "
            f"none{' (--missing drop leaves these rows out)' if missing else ''}"
        )
        said.append(f"{where}: {what}: {columns}")
    if encoded.unknown:
        columns = ", ".join(f"{name!r} {count:,}" for name, count in encoded.unknown.items())
        said.append(f"{where}: words that were not there in training count as none: {columns}")
    return said

"""Encoding of a table: its schema, measured on the rows that are trained on, and its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.errors import DataError
from chainrule.core.schema import Column, Schema
from chainrule.core.tables import remedy
from chainrule.data.readers.columns import INDEX_WORDS
from chainrule.data.table.table import Table, as_words

MOST_CATEGORIES = 256
"""Words in a column that become inputs."""
MOST_NAMED = 20
"""Most columns named in a message."""


class Measured(NamedTuple):
    """Schema of a table, and a sentence for each column that is left out."""

    schema: Schema
    notes: tuple[str, ...]


class Encoded(NamedTuple):
    """Inputs of a network, and what was unknown or missing in the cells behind them."""

    X: Float[Array, "N P"]
    blank: Array
    """(N,) True where a cell of the row is empty."""
    empty: dict[str, int]
    """Column -> number of its empty cells."""
    unknown: dict[str, int]
    """Column -> number of its cells with a word that was not there in training."""


def measure(table: Table, rows: Int[Array, " _"], target: int) -> Measured:
    """Schema of a table, from these rows; what tells nothing is left out, and said.

    Left out are columns without a value, with one value, an index, and words of which most are
    different. Raises DataError if no column is left.
    """
    columns, notes = list[Column](), list[str]()
    for place, cells in enumerate(table.cells):
        if place == target:
            continue
        found = _column(table.names[place], place, cells[rows])
        if isinstance(found, Column):
            columns.append(found)
        else:
            notes.append(f"left out: {table.called(place)}: {found}")
    if not columns:
        raise DataError(
            f"{table.source} has no column to learn from beside the labels, {table.called(target)}"
            f"{'; ' + '; '.join(notes) if notes else ''}; bring one."
        )
    schema = Schema(tuple(columns), table.names[target], target, len(table.names), table.header)
    return Measured(schema, tuple(notes))


def _column(name: str, place: int, cells: Array) -> Column | str:
    """Column of these cells, or why it is left out."""
    words = cells.dtype == object
    there = cells[cells != ""] if words else cells[~np.isnan(cells)]
    if not len(there):
        return "it is empty"
    values = sorted(set(there.tolist()))
    if len(values) == 1:
        return f"its cells are all {str(values[0])[:40]!r}" if words else "its cells are all equal"
    if words:
        if len(values) > MOST_CATEGORIES or 2 * len(values) > len(there):
            return f"{len(values):,} different texts in {len(there):,} rows are no categories"
        return Column(name, place, categories=tuple(values))
    if name.strip().lower() in INDEX_WORDS and len(values) == len(cells):
        return "its name is that of an index, and no two cells are equal"
    # Scaled first: the squares of numbers near the largest would overflow.
    scale = max(abs(values[0]), abs(values[-1]))
    shares = there / scale
    deviation = float(shares.std() * scale)
    if not deviation > 0:
        return "its cells are all but equal"
    return Column(name, place, float(shares.mean() * scale), deviation)


def places_of(names: Sequence[str], header: bool, source: str, schema: Schema) -> list[int]:
    """Places in a table of the schema's columns: by name, or by place where there are no names.

    A table without names may lack the target. Raises DataError for a column that is not there.
    """
    if header and schema.header:
        for name in schema.names:
            if name not in names:
                raise DataError(
                    f"{source} has no column {name!r}, which the network was trained on: "
                    f"{remedy(name, names[:MOST_NAMED])}."
                )
        return [names.index(name) for name in schema.names]
    width = len(names)
    if width == schema.width:
        return [column.place for column in schema.columns]
    if width == schema.width - 1:
        return [column.place - (column.place > schema.target_place) for column in schema.columns]
    raise DataError(
        f"{source} has {width} columns without names, and the table that was trained on had "
        f"{schema.width}, with {schema.target!r}; give it the same columns, or their names in a "
        "first line."
    )


def encode(table: Table, schema: Schema, places: Sequence[int]) -> Encoded:
    """The network's inputs, float32, from the columns at these places.

    Raises DataError for words in a column of numbers.
    """
    X = np.empty((table.rows, schema.inputs), np.float32)
    empty, unknown = dict[str, int](), dict[str, int]()
    any_blank, at = np.zeros(table.rows, bool), 0
    for column, place in zip(schema.columns, places, strict=True):
        cells = table.cells[place]
        if column.categories:
            known = {word: number for number, word in enumerate(column.categories)}
            words = as_words(cells)
            codes = np.array([known.get(word, -1) for word in words])
            X[:, at : at + column.inputs] = codes[:, None] == np.arange(column.inputs)
            blank = words == ""
            if strange := int(((codes < 0) & ~blank).sum()):
                unknown[column.name] = strange
        else:
            if cells.dtype == object:
                row = next(row for row, cell in enumerate(cells) if cell)
                raise DataError(
                    f"{table.row(row)}, {table.called(place)}: {cells[row][:40]!r} is not a number,"
                    " and the network was trained on numbers there; correct it, or leave the cell "
                    "empty."
                )
            blank = np.isnan(cells)
            with np.errstate(over="ignore"):
                X[:, at] = np.where(blank, 0, (cells - column.mean) / column.deviation)
        any_blank |= blank
        if blank.any():
            empty[column.name] = int(blank.sum())
        at += column.inputs
    return Encoded(X, any_blank, empty, unknown)

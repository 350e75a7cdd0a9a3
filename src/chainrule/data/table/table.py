"""Table: columns of numbers and of words, as they were read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from chainrule.core.arrays import Array, Int
from chainrule.core.errors import DataError

MOST_ROWS = 10_000_000
MOST_CELLS = 100_000_000


@dataclass(frozen=True)
class Table:
    """Table: columns (N,) of numbers, float64 with nan for an empty cell, or words, "" for one.

    A column that was not asked for has no cells.
    """

    source: str
    names: tuple[str, ...]
    header: bool
    """The names are those of its first line; else `column 1` and so on."""
    cells: tuple[Array, ...]
    lines: Int[Array, " N"]
    """Line of the file, from 1, of each row."""
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.lines)

    def called(self, column: int) -> str:
        """A column in words, with its number, from 1, and its name if it has one."""
        named = f", {self.names[column]!r}" if self.header else ""
        return f"column {column + 1}{named}"

    def only(self, rows: Int[Array, " M"]) -> Table:
        """The table with these rows."""
        cells = tuple(column[rows] if len(column) else column for column in self.cells)
        return replace(self, cells=cells, lines=self.lines[rows])

    def with_words(self, columns: Collection[int]) -> Table:
        """The table with these columns as words; numbers are written as short as they can be."""
        cells = tuple(
            as_words(values) if place in columns else values
            for place, values in enumerate(self.cells)
        )
        return replace(self, cells=cells)

    def row(self, row: int) -> str:
        """A row in words, by its place in the file."""
        return f"{self.source}, row {self.lines[row]:,}"


def as_words(cells: Array) -> Array:
    """Cells as words, "" where they are empty."""
    if cells.dtype == object:
        return cells
    return np.array(["" if np.isnan(cell) else f"{cell:.17g}" for cell in cells], object)


def check_finite(table: Table, column: int) -> None:
    """Raises DataError for an infinity in a column of numbers."""
    endless = np.flatnonzero(np.abs(table.cells[column]) == inf)
    if endless.size:
        raise DataError(
            f"{table.row(int(endless[0]))}, {table.called(column)}: "
            f"{table.cells[column][endless[0]]:g} is not a finite number; correct it, or leave the "
            "cell empty."
        )

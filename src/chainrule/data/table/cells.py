"""Cells of a table as text: they become columns of numbers and of words.

Without a schema a column is one of numbers if every cell is a number or empty; a few words among
numbers are mistakes.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import isinf
from typing import NamedTuple

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.table.layout import MISSING, Layout, lines_of, number_in, rows_of
from chainrule.data.table.table import MOST_CELLS, MOST_ROWS, Table, check_finite

BLOCK = 4096
"""Rows that are converted at a time."""
MOST_WRONG = 0.1
"""Share of cells that are no numbers above which a column is one of words, not of mistakes."""


class Wrong(NamedTuple):
    """A row that cannot be used, and why."""

    line: int
    reason: str


def read_text(text: str, source: str, layout: Layout, *, words: Collection[int] = ()) -> Table:
    """The cells of a table as text; the columns `words` are kept as words, whatever they hold.

    Raises DataError for rows of different lengths, for infinities, and for single cells that are no
    numbers in a column of numbers, by their line.
    """
    kept = set(words)
    table, found = _read(text, source, layout, kept)
    if found != kept:
        # A column whose first numbers were followed by words: only now is it known.
        table, _ = _read(text, source, layout, found)
        for column in sorted(found - kept):
            _check_words(table, column, decimal_comma=layout.separator != ",")
    return table


def read_known(
    text: str,
    source: str,
    layout: Layout,
    *,
    numbers: Collection[int],
    words: Collection[int],
) -> tuple[Table, list[Wrong]]:
    """(table with these columns of numbers and of words, the rows that are wrong, left out)."""
    wrong: list[Wrong] = []
    lines: list[int] = []
    seen: dict[str, str] = {}
    blocks: dict[int, list[Array]] = {place: [] for place in (*numbers, *words)}
    table = Table(source, layout.names, layout.header, (), np.empty(0, np.int64))
    comma = layout.separator != ","
    for block in _blocks(text, source, layout, wrong):
        good = []
        for line, row in block:
            reason = next(
                (f"{table.called(at)}: {row[at].strip()[:40]!r} is not a finite number; correct "
                 "it, or leave the cell empty" for at in numbers
                 if (number := number_in(row[at], decimal_comma=comma)) is None or isinf(number)),
                "",
            )  # fmt: skip
            if reason:
                wrong.append(Wrong(line, reason))
            else:
                good.append((line, row))
        _check_size(source, len(lines) + len(good), len(layout.names))
        lines += (line for line, _ in good)
        for at, parts in blocks.items():
            texts = [row[at] for _, row in good]
            values = _words(texts, seen) if at in words else _numbers(texts, decimal_comma=comma)
            assert values is not None
            parts.append(values)
    cells = tuple(
        np.concatenate(blocks[at]) if blocks.get(at) else np.empty(0)
        for at in range(len(layout.names))
    )
    return replace(table, cells=cells, lines=np.array(lines, np.int64)), wrong


def _read(text: str, source: str, layout: Layout, words: set[int]) -> tuple[Table, set[int]]:
    """(table, all columns of words); those that are only found here hold nothing in it."""
    width, found, lines = len(layout.names), set(words), list[int]()
    seen: list[dict[str, str]] = [{} for _ in range(width)]
    blocks: list[list[Array]] = [[] for _ in range(width)]
    for block in _blocks(text, source, layout):
        lines += (line for line, _ in block)
        _check_size(source, len(lines), width)
        for column, cells in enumerate(zip(*(row for _, row in block), strict=True)):
            if column in words:
                blocks[column].append(_words(cells, seen[column]))
            elif column not in found:
                values = _numbers(cells, decimal_comma=layout.separator != ",")
                if values is None:
                    found.add(column)
                    blocks[column].clear()
                else:
                    blocks[column].append(values)
    if not lines:
        raise DataError(f"{source} holds no rows; bring a line for each example.")
    columns = tuple(np.concatenate(parts) if parts else np.empty(0) for parts in blocks)
    table = Table(source, layout.names, layout.header, columns, np.array(lines, np.int64))
    for column in set(range(width)) - found:
        check_finite(table, column)
    return table, found


def _check_size(source: str, rows: int, width: int) -> None:
    if rows > MOST_ROWS or rows * width > MOST_CELLS:
        raise DataError(
            f"{source} has more than {MOST_ROWS:,} rows or {MOST_CELLS:,} cells; split it."
        )


def _blocks(
    text: str, source: str, layout: Layout, wrong: list[Wrong] | None = None
) -> Iterator[list[tuple[int, list[str]]]]:
    """Rows of cells, each with the number of its line, BLOCK at a time.

    Rows of another length are added to `wrong`; without it they raise DataError.
    """
    rows, width = rows_of(lines_of(text), layout.separator), len(layout.names)
    block: list[tuple[int, list[str]]] = []
    skip = layout.header
    try:
        for row in rows:
            if not row or skip:
                skip = skip and not row
                continue
            if len(row) != width:
                reason = (
                    f"{len(row)} columns, and the first row has {width}; give every row the same "
                    f"number, or quote cells that hold {layout.separator!r}"
                )
                if wrong is None:
                    raise DataError(f"{source}, row {rows.line_num:,}: {reason}.")
                wrong.append(Wrong(rows.line_num, reason))
                continue
            block.append((rows.line_num, row))
            if len(block) == BLOCK:
                yield block
                block = []
    except csv.Error as error:
        raise DataError(f"{source}, row {rows.line_num:,}: {error}; mend it.") from None
    if block:
        yield block


def _words(cells: Sequence[str], seen: dict[str, str]) -> Array:
    """Words of these cells, "" where they are empty; equal ones share their memory."""
    stripped = ("" if cell in MISSING else cell for cell in map(str.strip, cells))
    return np.array([seen.setdefault(cell, cell) for cell in stripped], object)


def _numbers(cells: Sequence[str], *, decimal_comma: bool) -> Array | None:
    """Numbers of these cells, nan where they are empty; None if a cell is neither."""
    try:
        values = np.array([*map(float, cells)])
    except ValueError:
        found = [number_in(cell, decimal_comma=decimal_comma) for cell in cells]
        return None if None in found else np.array(found, np.float64)
    return None if any("_" in cell for cell in cells) else values


def _check_words(table: Table, column: int, *, decimal_comma: bool) -> None:
    """Raises DataError for a few words in a column of numbers."""
    cells = table.cells[column]
    numbers = [cell and number_in(cell, decimal_comma=decimal_comma) for cell in cells]
    wrong = [row for row, number in enumerate(numbers) if number is None]
    filled = sum(cell != "" for cell in cells)
    if len(wrong) <= MOST_WRONG * filled:
        raise DataError(
            f"{table.row(wrong[0])}, {table.called(column)}: {str(cells[wrong[0]])[:40]!r} is not "
            f"a number, and {filled - len(wrong):,} other cells of this column are; correct it, or "
            "leave the cell empty."
        )

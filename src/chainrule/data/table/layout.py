"""Layout of a table as text: encoding, separator, line of names; found out on its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import nan
from typing import TYPE_CHECKING

from chainrule.core.errors import DataError
from chainrule.core.schema import MOST_COLUMNS

if TYPE_CHECKING:
    from _csv import Reader

MISSING = frozenset({"", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null",
                     "None", "none", "na", "-"})  # fmt: skip
"""What stands in an empty cell."""
SEPARATORS = (",", ";", "\t", "|", " ")
SPACES = re.compile(r"[ \t]+")
LOOKED_AT = 100
"""Lines in which separator and names are looked for."""
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""Byte order marks, and the encodings that they stand for."""


@dataclass(frozen=True)
class Layout:
    """Layout of a table as text: how its lines are cells."""

    separator: str
    names: tuple[str, ...]
    header: bool


def decoded(data: bytes, source: str) -> tuple[str, tuple[str, ...]]:
    """(text of a file, notes): UTF-8, UTF-16 with its mark, else as Windows wrote it."""
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        return _with_unix_ends(data.decode(encoding)), ()
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(
                f"{source}: byte {error.start:,} is not {encoding}; save it as UTF-8."
            ) from None
    return _with_unix_ends(data.decode("cp1252", "replace")), (
        f"{source} is not UTF-8 and was read as Windows-1252; if names look wrong, save it as "
        "UTF-8",
    )


def layout_of(text: str, source: str, *, names: Collection[str] = ()) -> Layout:
    """Layout of a table; a first line with one of `names` among its cells is the line of names.

    Raises DataError without a line, and for two columns of one name.
    """
    lines = [line for line in islice(lines_of(text), LOOKED_AT) if line.strip()]
    if not lines:
        raise DataError(f"{source} holds no rows; bring a line for each example.")
    separator = max(SEPARATORS, key=lambda sign: _fit(lines, sign))
    try:
        rows = list(rows_of(lines, separator))
    except csv.Error as error:
        raise DataError(f"{source} is no table: {error}; give CSV or Parquet.") from None
    first = [cell.strip() for cell in rows[0]]
    if len(first) > MOST_COLUMNS:
        raise DataError(f"{source} has {len(first):,} columns, at most {MOST_COLUMNS:,} are read.")
    header = _is_header(first, rows[1:], names)
    called = [f"column {number}" for number in range(1, len(first) + 1)]
    if header:
        called = [name or number for name, number in zip(first, called, strict=True)]
        if twice := next((name for name in called if called.count(name) > 1), None):
            raise DataError(f"{source}: two columns are named {twice!r}; rename one of them.")
    return Layout(separator, tuple(called), header)


def _with_unix_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def lines_of(text: str) -> Iterator[str]:
    """Lines of a text, with their ends, without a second copy of all of it."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def rows_of(lines: Iterable[str], separator: str) -> Reader:
    """Cells of each line; a separator of spaces is any number of blanks and tabs."""
    if separator == " ":
        lines = (SPACES.sub(" ", line).strip() for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _fit(lines: Sequence[str], separator: str) -> tuple[int, int]:
    """How well a separator fits: (lines with the commonest number of columns, that number)."""
    try:
        counts = Counter(len(row) for row in rows_of(lines, separator) if len(row) > 1)
    except csv.Error:
        return 0, 0
    columns, agreeing = counts.most_common(1)[0] if counts else (0, 0)
    return agreeing, columns


def _is_header(
    first: Sequence[str], others: Sequence[Sequence[str]], names: Collection[str]
) -> bool:
    """Whether the first line names the columns: words above numbers, or above other words."""
    if any(name in first for name in names if not _is_number(name)):
        return True
    if any(_is_number(cell) or cell in MISSING - {""} for cell in first):
        return False
    for column in range(len(first)):
        below = [row[column].strip() for row in others if len(row) == len(first)]
        if any(_is_number(cell) for cell in below):
            return True
        if first[column] in below:
            return False
    return bool(others)


def _is_number(cell: str) -> bool:
    return number_in(cell, decimal_comma=True) is not None


def number_in(cell: str, *, decimal_comma: bool) -> float | None:
    """Number in a cell, nan if it is empty; None if it is neither."""
    cell = cell.strip()
    if cell in MISSING:
        return nan
    if "_" in cell:  # which Python allows between digits
        return None
    try:
        return float(cell.replace(",", ".", 1) if decimal_comma else cell)
    except ValueError:
        return None

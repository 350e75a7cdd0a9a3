"""Numbers in text: blocks of lines as arrays, and each wrong field by its row and column.

Integers, which nearly all such files hold, are parsed block by block without a Python loop over
the values: the positions of commas and line ends give those of the digits before them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.core.quiet import without_warnings
from chainrule.data.readers.columns import NUMBER, Columns
from chainrule.data.readers.decimals import decimals

LONGEST_LINE = 64 * 1024
"""785 numbers as written by numpy.savetxt take 20 kB."""
COMMA, NEWLINE, ZERO = b",\n0"
OUTSIDE = "{} is outside 0..255; scale the pixels to 0..255 or 0..1"


@dataclass(frozen=True)
class Place:
    """Place of a table's numbers in its file, for messages."""

    name: str
    line: int
    columns: Columns

    def refuse(self, what: str, row: int, column: int) -> NoReturn:
        """Raises the DataError about a number; row and column from 0."""
        number = self.columns.number(column)
        raise DataError(f"{self.name}, row {self.line + row:,}, column {number}: {what}.")


def refuse_line(name: str, line: int) -> NoReturn:
    """Raises the DataError for a line longer than LONGEST_LINE."""
    raise DataError(
        f"{name}, row {line:,}: longer than {LONGEST_LINE:,} bytes, so it is not a row of a "
        "picture; is it a CSV file?"
    )


def whole_numbers(block: bytes, columns: int) -> Array | None:
    """Rows of a block (R, columns) uint8; None unless it is all integers 0..255."""
    if block.translate(None, b"0123456789,\n"):
        return None
    text = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(text < ZERO)
    if len(ends) % columns:
        return None
    marks = text[ends].reshape(-1, columns)
    if (marks[:, :-1] != COMMA).any() or (marks[:, -1] != NEWLINE).any():
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        return None
    values = (text[ends - 1] - ZERO).astype(np.uint16)
    for digit, weight in ((2, 10), (3, 100)):
        longer = np.flatnonzero(lengths >= digit)
        values[longer] += (text[ends[longer] - digit] - ZERO).astype(np.uint16) * weight
    if values.max() > 255:
        return None
    return values.astype(np.uint8).reshape(-1, columns)


def numbers(block: bytes, columns: Columns, count: int, *, name: str, line: int) -> Array:
    """Rows of a block (R, count) float32; DataError for a field that is not a number."""
    if (found := decimals(block, count)) is not None:
        return found
    rows = block.count(b"\n")
    even = all(row.count(b",") == count - 1 for row in block.splitlines())
    if even and not block.translate(None, b"0123456789,\n.eE+-"):
        # NumPy stops at a field that is not a number and warns; later versions will raise.
        with without_warnings(DeprecationWarning):
            try:
                text = block.replace(b"\n", b",").rstrip(b",").decode("ascii")
                values = np.fromstring(text, np.float64, sep=",")
            except ValueError:
                values = np.empty(0)
        if values.size == rows * count and ((values >= -1) & (values <= 255)).all():
            return values.reshape(rows, count).astype(np.float32)
    place = Place(name, line, columns)
    return np.array(
        [_fields(row, count, place, offset) for offset, row in enumerate(block.splitlines())],
        np.float32,
    )


def _fields(text: bytes, count: int, place: Place, row: int) -> list[float]:
    if len(text) > LONGEST_LINE:
        refuse_line(place.name, place.line + row)
    fields = text.split(b",")
    if len(fields) == count and not text.translate(None, b"0123456789,.eE+- \t"):
        with suppress(ValueError):
            values = [float(field) for field in fields]
            if min(values) >= -1 and max(values) <= 255:
                return values
    if len(fields) != count:
        extra = place.columns.index is not None
        raise DataError(
            f"{place.name}, row {place.line + row:,}: {len(fields) + extra} columns, and the first "
            f"row has {count + extra}; give every row a label and the same number of pixels."
        )
    return [_field(field, place, row, column) for column, field in enumerate(fields)]


def _field(field: bytes, place: Place, row: int, column: int) -> float:
    shown = field[:20].decode("utf-8", "replace")
    if not NUMBER.fullmatch(field):
        place.refuse(f"{shown!r} is not a number; correct it", row, column)
    value = float(field)
    if not -1 <= value <= 255:
        place.refuse(OUTSIDE.format(shown), row, column)
    return value

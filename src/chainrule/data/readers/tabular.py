"""Tables of numbers as text: CSV, and the ARFF files of OpenML.

Integers, which nearly all such files hold, are parsed block by block without a Python loop over
the values: the positions of commas and line ends give those of the digits before them.
"""

from __future__ import annotations

import math
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.dataset import Part
from chainrule.data.labels import NUMBERS_OF_DIGITS, are_numbered
from chainrule.data.readers.archives import MIB
from chainrule.data.readers.columns import (
    NUMBER,
    Columns,
    columns_of,
    counted,
    find_label,
    names_in,
    separator_of,
)
from chainrule.data.readers.values import check_one_scale, measured_range, part

LONGEST_LINE = 64 * 1024
"""785 numbers as written by numpy.savetxt take 20 kB."""
MOST_ROWS = 10_000_000
BLOCK = 2 * MIB
SMALLEST_PICTURE = 49
"""Rows with a square number of columns, this or more, are pixels without a label."""
COMMA, NEWLINE, ZERO = b",\n0"
ATTRIBUTE = re.compile(
    rb"^[ \t]*@attribute[ \t]+('[^'\n]*'|\"[^\"\n]*\"|[^\s]+)", re.MULTILINE | re.IGNORECASE
)
OUTSIDE = "{} is outside 0..255; scale the pixels to 0..255 or 0..1"


def read_csv(data: bytes, name: str, *, classes: int | None, like: Part | None = None) -> Part:
    """Reads labels and images from a CSV file, separated by commas, semicolons or tabs.

    The first line may name the columns; `readers/columns` says which are the labels. Pixels are
    whole numbers 0..255 or fractions, labels whole numbers below `classes`; None: 0..9, or numbers
    without a gap. `like` is another part of the same data, with its labels in the same place.
    Raises DataError with file, row (the line, from 1) and column (from 1).
    """
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    first = data[start : start + LONGEST_LINE + 1].split(b"\n", 1)[0]
    if names := names_in(first):
        start += len(first) + 1
    return _read(data, start, names, name=name, classes=classes, like=like)


def width(data: bytes) -> int:
    """Number of columns in the first line of a CSV file."""
    line = data[: LONGEST_LINE + 1].split(b"\n", 1)[0]
    return line.count(separator_of(line)) + 1


def read_arff(data: bytes, name: str, *, classes: int | None) -> Part:
    """Reads labels and images from ARFF: lines of @attributes, then @data.

    The labels are the attribute that is named so, as in OpenML's files; else the last one.
    """
    start = re.search(rb"^@data[ \t]*\r?\n", data, re.MULTILINE | re.IGNORECASE)
    if start is None:
        raise DataError(f"{name} has no line @DATA: it is not a whole ARFF file; fetch it again.")
    names = tuple(
        match[1].strip(b"'\"").decode("utf-8", "replace")
        for match in ATTRIBUTE.finditer(data, 0, start.start())
    )
    return _read(data, start.end(), names, name=name, classes=classes, label_last=True)


def _read(
    data: bytes,
    start: int,
    names: tuple[str, ...],
    *,
    name: str,
    classes: int | None,
    like: Part | None = None,
    label_last: bool = False,
) -> Part:
    end = _end(data, start)
    if start >= end:
        raise DataError(f"{name} holds no rows; bring a label and pixels on each line.")
    line = data.count(b"\n", 0, start) + 1
    row = data[start : _line_end(data, start, end, name, line)]
    separator = separator_of(row)
    count = row.count(separator) + 1
    columns = columns_of(separator, names, count, name, label=count - 1 if label_last else None)
    if columns.index is None and not columns.names and columns.label is None:
        columns = replace(columns, index=counted(data[start:end], separator, count))
    count -= columns.index is not None
    _check_columns(count, name, line)
    blocks, first_line = [], line
    while start < end:
        stop = data.rfind(b"\n", start, start + BLOCK) + 1 if start + BLOCK < end else end
        if not stop:
            stop = _line_end(data, start, end, name, line) + 1
        block = columns.plain(data[start : min(stop, end)])
        rows = _whole_numbers(block, count)
        if rows is None:
            rows = _numbers(block, columns, count, name=name, line=line)
        blocks.append(rows)
        line += len(rows)
        if line > MOST_ROWS:
            raise DataError(f"{name} has more than {MOST_ROWS:,} rows; split it.")
        start = stop
    table = np.concatenate(blocks)
    notes = []
    if columns.index is not None:
        notes.append(f"left out: the index, column {columns.index + 1}")
    at = columns.label
    if at is None and like is not None:
        at = like.label_column
    if at is None:
        at, note = find_label(table, columns, classes)
        notes.append(note)
    elif at and not label_last:
        notes.append(f"the labels are {columns.called(at)}")
    labels, images = table[:, at], table[:, 1:] if at == 0 else table[:, :-1]
    if 0 < at < count - 1:
        images = np.delete(table, at, axis=1)
    where = _Place(name, first_line, columns)
    _check_labels(labels, classes, where, at)
    if images.dtype != np.uint8:
        _check_fractions(images, where, at)
    found = part(images, labels, name)
    return found._replace(notes=tuple(notes), label_column=at)


@dataclass(frozen=True)
class _Place:
    """Place of a table's numbers in its file, for messages."""

    name: str
    line: int
    columns: Columns

    def refuse(self, what: str, row: int, column: int) -> NoReturn:
        """Raises the DataError about a number; row and column from 0."""
        number = self.columns.number(column)
        raise DataError(f"{self.name}, row {self.line + row:,}, column {number}: {what}.")


def _end(data: bytes, start: int) -> int:
    """End of the last row, without trailing line ends and blanks."""
    end = len(data)
    while end > start:
        tail = data[max(start, end - BLOCK) : end]
        if rest := tail.rstrip(b"\r\n \t"):
            return end - len(tail) + len(rest)
        end -= len(tail)
    return end


def _line_end(data: bytes, start: int, end: int, name: str, line: int) -> int:
    found = data.find(b"\n", start, min(end, start + LONGEST_LINE))
    if found < 0:
        if end - start < LONGEST_LINE:
            return end
        refuse_line(name, line)
    return found


def refuse_line(name: str, line: int) -> NoReturn:
    """Raises the DataError for a line longer than LONGEST_LINE."""
    raise DataError(
        f"{name}, row {line:,}: longer than {LONGEST_LINE:,} bytes, so it is not a row of a "
        "picture; is it a CSV file?"
    )


def _check_columns(columns: int, name: str, line: int) -> None:
    if columns < 2:
        raise DataError(
            f"{name}, row {line:,}: one column, and a label and pixels, separated by commas, are "
            "read; is it a CSV file?"
        )
    if columns >= SMALLEST_PICTURE and math.isqrt(columns) ** 2 == columns:
        raise DataError(
            f"{name}, row {line:,}: {columns} columns make a square picture without a label; put "
            "the label before the pixels."
        )


def _whole_numbers(block: bytes, columns: int) -> Array | None:
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


def _numbers(block: bytes, columns: Columns, count: int, *, name: str, line: int) -> Array:
    """Rows of a block (R, count) float32; DataError for a field that is not a number."""
    rows = block.count(b"\n")
    even = all(row.count(b",") == count - 1 for row in block.splitlines())
    if even and not block.translate(None, b"0123456789,\n.eE+-"):
        with warnings.catch_warnings():
            # NumPy stops at a field that is not a number and warns; later versions will raise.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                text = block.replace(b"\n", b",").rstrip(b",").decode("ascii")
                values = np.fromstring(text, np.float64, sep=",")
            except ValueError:
                values = np.empty(0)
        if values.size == rows * count and ((values >= -1) & (values <= 255)).all():
            return values.reshape(rows, count).astype(np.float32)
    place = _Place(name, line, columns)
    return np.array(
        [_fields(row, count, place, offset) for offset, row in enumerate(block.splitlines())],
        np.float32,
    )


def _fields(text: bytes, count: int, place: _Place, row: int) -> list[float]:
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


def _field(field: bytes, place: _Place, row: int, column: int) -> float:
    shown = field[:20].decode("utf-8", "replace")
    if not NUMBER.fullmatch(field):
        place.refuse(f"{shown!r} is not a number; correct it", row, column)
    value = float(field)
    if not -1 <= value <= 255:
        place.refuse(OUTSIDE.format(shown), row, column)
    return value


def _check_labels(labels: Array, classes: int | None, place: _Place, column: int) -> None:
    if classes is None and are_numbered(labels):
        return
    most = classes or NUMBERS_OF_DIGITS
    wrong = np.flatnonzero((labels < 0) | (labels >= most) | (labels != np.rint(labels)))
    if wrong.size:
        place.refuse(
            f"label {labels[wrong[0]]:g} is not one of the classes 0..{most - 1}; correct it, "
            "or name all classes (--classes), or the columns in a first line, such as label,a,b",
            int(wrong[0]),
            column,
        )


def _check_fractions(images: Array, place: _Place, label: int) -> None:
    """Raises DataError for a pixel that is on no scale together with the others."""
    black, white = measured_range(images)
    if ((images >= black) & (images <= white)).all():
        if white == 255 and not (images == np.rint(images)).all():
            check_one_scale(images, f"{place.name}, row", place.line)
        return
    wrong = images < 0 if images.min() < 0 else images > 1
    row, pixel = (int(index) for index in np.argwhere(wrong)[0])
    value = images[row, pixel]
    what = OUTSIDE.format(f"{value:g}")
    if value > 1:
        what = (
            f"{value:g} is above 1 in a file that has fractions; scale all pixels to 0..1, or to "
            "whole numbers 0..255"
        )
    place.refuse(what, row, pixel + (pixel >= label))

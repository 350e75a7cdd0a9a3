"""Tables of numbers as text: CSV (label first) and the ARFF files of OpenML (label last).

Integers, which nearly all such files hold, are parsed block by block without a Python loop over
the values: the positions of commas and line ends give those of the digits before them.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import NoReturn

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.core.quiet import without_warnings
from chainrule.data.dataset import Part
from chainrule.data.readers.archives import MIB
from chainrule.data.readers.values import part

LONGEST_LINE = 64 * 1024
"""785 numbers as written by numpy.savetxt take 20 kB."""
MOST_ROWS = 10_000_000
BLOCK = 2 * MIB
SMALLEST_PICTURE = 49
"""Rows with a square number of columns, this or more, are pixels without a label."""
COMMA, NEWLINE, ZERO = b",\n0"
NUMBER = re.compile(rb"[ \t]*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[ \t]*")
"""Matches in one way only: `\\d+\\.?\\d*` would backtrack through every split of the digits."""


def read_csv(data: bytes, name: str, *, classes: int) -> Part:
    """Reads labels and images from a CSV file, label in the first column.

    The first line may be a header. Pixels are integers 0..255 or fractions 0..1, labels integers
    below `classes`.
    Raises DataError with file, row (the line, from 1) and column (from 1).
    """
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    first = data[start : start + LONGEST_LINE + 1].split(b"\n", 1)[0]
    if _is_header(first.rstrip(b"\r")):
        start += len(first) + 1
    return _read(data, start, name=name, classes=classes, label_last=False)


def _is_header(line: bytes) -> bool:
    """True if a first line is a header: `label,0,1,2`, but not `x,0,17,255`.

    The latter is a row with a wrong label.
    """
    label, *rest = (field.strip(b'" \t') for field in line.split(b","))
    if NUMBER.fullmatch(label):
        return False
    if not all(NUMBER.fullmatch(field) for field in rest):
        return True
    return rest in ([b"%d" % (first + index) for index in range(len(rest))] for first in (0, 1))


def read_arff(data: bytes, name: str, *, classes: int) -> Part:
    """Reads labels and images from OpenML's ARFF: lines of @attributes, then @data, label last."""
    start = re.search(rb"^@data[ \t]*\r?\n", data, re.MULTILINE | re.IGNORECASE)
    if start is None:
        raise DataError(f"{name} has no line @DATA: it is not a whole ARFF file; fetch it again.")
    return _read(data, start.end(), name=name, classes=classes, label_last=True)


def _read(data: bytes, start: int, *, name: str, classes: int, label_last: bool) -> Part:
    end = _end(data, start)
    if start >= end:
        raise DataError(f"{name} holds no rows; bring a label and pixels on each line.")
    line = data.count(b"\n", 0, start) + 1
    columns = data.count(b",", start, _line_end(data, start, end, name, line)) + 1
    _check_columns(columns, name, line)
    blocks, first_line = [], line
    while start < end:
        stop = data.rfind(b"\n", start, start + BLOCK) + 1 if start + BLOCK < end else end
        if not stop:
            stop = _line_end(data, start, end, name, line) + 1
        block = _plain(data[start : min(stop, end)])
        rows = _whole_numbers(block, columns)
        if rows is None:
            rows = _numbers(block, columns, name=name, line=line)
        blocks.append(rows)
        line += len(rows)
        if line > MOST_ROWS:
            raise DataError(f"{name} has more than {MOST_ROWS:,} rows; split it.")
        start = stop
    table = np.concatenate(blocks)
    labels, images = table[:, 0], table[:, 1:]
    if label_last:
        labels, images = table[:, -1], table[:, :-1]
    _check_labels(labels, classes, name=name, line=first_line, column=columns if label_last else 1)
    if images.dtype != np.uint8:
        _check_fractions(images, name=name, line=first_line, column=1 if label_last else 2)
    return part(images, labels, name)


def _end(data: bytes, start: int) -> int:
    """End of the last row, without trailing line ends and blanks."""
    end = len(data)
    while end > start:
        tail = data[max(start, end - BLOCK) : end]
        if rest := tail.rstrip(b"\r\n \t"):
            return end - len(tail) + len(rest)
        end -= len(tail)
    return end


def _plain(block: bytes) -> bytes:
    """Normalises whole lines: Unix line ends, no blanks around numbers.

    One block at a time, because a copy of the whole file would double the memory.
    """
    block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b" " in block:
        for blank, bare in ((b", ", b","), (b" ,", b","), (b"\n ", b"\n"), (b" \n", b"\n")):
            block = block.replace(blank, bare)
        block = block.removeprefix(b" ")
    return block if block.endswith(b"\n") else block + b"\n"


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


def _numbers(block: bytes, columns: int, *, name: str, line: int) -> Array:
    """Rows of a block (R, columns) float32; DataError for a field that is not a number."""
    rows = block.count(b"\n")
    even = all(row.count(b",") == columns - 1 for row in block.splitlines())
    if even and not block.translate(None, b"0123456789,\n.eE+-"):
        # NumPy stops at a field that is not a number and warns; later versions will raise.
        with without_warnings(DeprecationWarning):
            try:
                text = block.replace(b"\n", b",").rstrip(b",").decode("ascii")
                values = np.fromstring(text, np.float64, sep=",")
            except ValueError:
                values = np.empty(0)
        if values.size == rows * columns and ((values >= 0) & (values <= 255)).all():
            return values.reshape(rows, columns).astype(np.float32)
    return np.array(
        [
            _fields(row, columns, name=name, line=line + offset)
            for offset, row in enumerate(block.splitlines())
        ],
        np.float32,
    )


def _fields(row: bytes, columns: int, *, name: str, line: int) -> list[float]:
    if len(row) > LONGEST_LINE:
        refuse_line(name, line)
    fields = row.split(b",")
    if len(fields) == columns and not row.translate(None, b"0123456789,.eE+- \t"):
        with suppress(ValueError):
            values = [float(field) for field in fields]
            if min(values) >= 0 and max(values) <= 255:
                return values
    if len(fields) != columns:
        raise DataError(
            f"{name}, row {line:,}: {len(fields)} columns, and the first row has {columns}; give "
            "every row a label and the same number of pixels."
        )
    return [
        _field(field, name=name, line=line, column=column)
        for column, field in enumerate(fields, start=1)
    ]


def _field(field: bytes, *, name: str, line: int, column: int) -> float:
    shown = field[:20].decode("utf-8", "replace")
    if not NUMBER.fullmatch(field):
        _refuse(f"{shown!r} is not a number; correct it", name=name, line=line, column=column)
    value = float(field)
    if not 0 <= value <= 255:
        _refuse(
            f"{shown} is outside 0..255; scale the pixels to 0..255 or 0..1",
            name=name,
            line=line,
            column=column,
        )
    return value


def _check_labels(labels: Array, classes: int, *, name: str, line: int, column: int) -> None:
    wrong = np.flatnonzero((labels >= classes) | (labels != np.rint(labels)))
    if wrong.size:
        _refuse(
            f"label {labels[wrong[0]]:g} is not one of the classes 0..{classes - 1}; correct it, "
            "or name all classes (--classes)",
            name=name,
            line=line + int(wrong[0]),
            column=column,
        )


def _check_fractions(images: Array, *, name: str, line: int, column: int) -> None:
    """Raises DataError for a pixel above 1 among fractions, whose scale is then unknown."""
    whole = images == np.rint(images)
    if whole.all():
        return
    if (above := images > 1).any():
        row, pixel = (int(index) for index in np.argwhere(above)[0])
        _refuse(
            f"{images[row, pixel]:g} is above 1 in a file that has fractions; scale all pixels to "
            "0..1, or to whole numbers 0..255",
            name=name,
            line=line + row,
            column=column + pixel,
        )


def _refuse(what: str, *, name: str, line: int, column: int) -> NoReturn:
    raise DataError(f"{name}, row {line:,}, column {column}: {what}.")

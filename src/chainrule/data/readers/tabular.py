"""Tables of numbers as text: CSV, and the ARFF files of OpenML.

`readers/columns` says what the columns are, `readers/numbers` makes numbers of the text; here both
become labels and images, and what is neither is refused by its row and column.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.dataset import Part
from chainrule.data.labels import NUMBERS_OF_DIGITS, are_numbered
from chainrule.data.readers.archives import HEAD, MIB
from chainrule.data.readers.columns import (
    columns_of,
    counted,
    find_label,
    names_in,
    separator_of,
)
from chainrule.data.readers.numbers import (
    LONGEST_LINE,
    OUTSIDE,
    Place,
    numbers,
    refuse_line,
    whole_numbers,
)
from chainrule.data.readers.values import are_whole, check_one_scale, measured_range, part

MOST_ROWS = 10_000_000
BLOCK = 2 * MIB
SMALLEST_PICTURE = 49
"""Rows with a square number of columns, this or more, are pixels without a label."""
ATTRIBUTE = re.compile(
    rb"^[ \t]*@attribute[ \t]+('[^'\n]*'|\"[^\"\n]*\"|[^\s]+)", re.MULTILINE | re.IGNORECASE
)


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
        columns = replace(
            columns, index=counted(data[start : min(end, start + HEAD)], separator, count)
        )
    count -= columns.index is not None
    _check_columns(count, name, line)
    first_line = line
    # No row is shorter than a digit and a mark for each number; what is not used takes no memory.
    most = min(data.count(b"\n", start, end) + data.count(b"\r", start, end) + 1, MOST_ROWS + 1)
    most = min(most, (end - start) // (2 * count) + 1)
    table: Array = np.empty((most, count), np.uint8)
    done = 0
    while start < end:
        stop = data.rfind(b"\n", start, start + BLOCK) + 1 if start + BLOCK < end else end
        if not stop:
            stop = _line_end(data, start, end, name, line) + 1
        block = columns.plain(data[start : min(stop, end)])
        rows = whole_numbers(block, count)
        if rows is None:
            rows = numbers(block, columns, count, name=name, line=line)
        line += len(rows)
        if line > MOST_ROWS:
            raise DataError(f"{name} has more than {MOST_ROWS:,} rows; split it.")
        if rows.dtype != table.dtype and table.dtype == np.uint8:
            wider = np.empty(table.shape, np.float32)
            wider[:done] = table[:done]
            table = wider
        table[done : done + len(rows)] = rows
        done += len(rows)
        start = stop
    table = table[:done]
    notes = []
    if columns.index is not None:
        notes.append(f"left out: the index, column {columns.index + 1}")
    at = columns.label
    if at is None and like is not None and (like.label_column or 0) < count:
        at = like.label_column
    if at is None:
        at, note = find_label(table, columns, classes)
        notes.append(note)
    elif at and not label_last:
        notes.append(f"the labels are {columns.called(at)}")
    labels, images = table[:, at], table[:, 1:] if at == 0 else table[:, :-1]
    if 0 < at < count - 1:
        images = np.delete(table, at, axis=1)
    where = Place(name, first_line, columns)
    _check_labels(labels, classes, where, at)
    if images.dtype != np.uint8:
        _check_fractions(images, where, at)
    found = part(images, labels, name)
    return found._replace(notes=tuple(notes), label_column=at)


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


def _check_labels(labels: Array, classes: int | None, place: Place, column: int) -> None:
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


def _check_fractions(images: Array, place: Place, label: int) -> None:
    """Raises DataError for a pixel that is on no scale together with the others."""
    black, white = measured_range(images)
    if images.min() >= black and images.max() <= white:
        if white == 255 and not are_whole(images):
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

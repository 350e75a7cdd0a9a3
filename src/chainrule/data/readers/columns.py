"""Columns of a table of pixels: what separates them, which one is the label, which to leave out.

A first line of words is used: `label`, `class`, `target`, `y` name the labels wherever they stand,
`id`, `index` or no name at all, as pandas writes it, an index, which is left out. Without words the
labels are the first column; the last where only that one can be labels.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.labels import NUMBERS_OF_DIGITS, are_numbered

NUMBER = re.compile(rb"[ \t]*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[ \t]*")
"""Matches in one way only: `\\d+\\.?\\d*` would backtrack through every split of the digits."""
WORD = re.compile(rb"[A-Za-z\x80-\xff]")
NO_NUMBER = (b"nan", b"inf", b"na", b"null", b"none")
LABEL_WORDS = frozenset({"label", "labels", "class", "classes", "target", "targets", "y", "digit",
                         "category", "species", "letter"})  # fmt: skip
INDEX_WORDS = frozenset({"", "unnamed: 0", "index", "id", "idx", "row", "row_id", "image_id"})
SMALLEST_INDEXED = 11
"""An index, a label and a picture of three by three pixels."""
FEW_ROWS = 10
"""Below this a column's numbers tell nothing about what they are."""
MOST_OF = 0.9
"""Labels may have a few mistakes, which are then named by their row."""


@dataclass(frozen=True)
class Columns:
    """Columns of a table: how its lines become rows of numbers."""

    separator: bytes
    names: tuple[str, ...]
    """From the first line; empty: it has none."""
    index: int | None
    """Column that is left out."""
    label: int | None
    """Column of the labels, among those that are not left out; None: to be found."""

    def number(self, column: int) -> int:
        """Number in the file, from 1, of a column among those not left out, from 0."""
        return column + 1 + (self.index is not None and column >= self.index)

    def called(self, column: int) -> str:
        """The column in words, with its name if it has one."""
        number = self.number(column)
        name = self.names[number - 1] if self.names else ""
        return f"column {number}" + (f", {name!r}" if name else "")

    def plain(self, block: bytes) -> bytes:
        """Whole lines with Unix ends, commas between the numbers, and without the index.

        One block at a time, because a copy of the whole file would double the memory.
        """
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self.separator != b",":
            # Where semicolons separate, a comma is the decimal point.
            block = block.replace(b",", b".").replace(self.separator, b",")
        if b" " in block:
            for blank, bare in ((b", ", b","), (b" ,", b","), (b"\n ", b"\n"), (b" \n", b"\n")):
                block = block.replace(blank, bare)
            block = block.removeprefix(b" ")
        block = block if block.endswith(b"\n") else block + b"\n"
        if self.index is None:
            return block
        return b"".join(_without(line, self.index) for line in block.splitlines(keepends=True))


def _without(line: bytes, column: int) -> bytes:
    fields = line.rstrip(b"\n").split(b",")
    if column < len(fields):
        del fields[column]
    return b",".join(fields) + b"\n"


def separator_of(line: bytes) -> bytes:
    """What separates the columns of this line: semicolons, or commas, or else tabs."""
    return next((mark for mark in (b";", b",", b"\t") if mark in line), b",")


def names_in(line: bytes) -> tuple[str, ...]:
    """Names of the columns, if a first line holds them: `label,0,1,2`, but not `x,0,17,255`.

    The latter is a row with a wrong label.
    """
    separator = separator_of(line)
    fields = [field.strip(b"\"' \t\r") for field in line.split(separator)]
    if separator != b",":
        numbers = [field for field in fields if NUMBER.fullmatch(field.replace(b",", b"."))]
    else:
        numbers = [field for field in fields if NUMBER.fullmatch(field)]
    counted = any(numbers == [b"%d" % (first + k) for k in range(len(numbers))] for first in (0, 1))
    words = [field for field in fields if WORD.search(field) and field.lower() not in NO_NUMBER]
    if len(numbers) == len(fields):
        named = counted and len(fields) > FEW_ROWS
    elif counted:
        named = bool(words) or fields[0] == b""
    else:
        named = bool(words) and 2 * len(numbers) < len(fields)
    return tuple(field.decode("utf-8", "replace") for field in fields) if named else ()


def columns_of(
    separator: bytes, names: tuple[str, ...], count: int, name: str, *, label: int | None = None
) -> Columns:
    """Columns of a table with `count` of them; `label` is where its format has the labels, if it
    says so.

    Raises DataError where two columns are named as labels.
    """
    if len(names) != count:
        return Columns(separator, (), None, label)
    words = [word.strip().lower() for word in names]
    labels = [k for k, word in enumerate(words) if word in LABEL_WORDS]
    if len(labels) > 1:
        raise DataError(
            f"{name}: the columns {names[labels[0]]!r} and {names[labels[1]]!r} may both be the "
            "labels; leave one of them out, or rename it."
        )
    index = next((k for k, word in enumerate(words) if word in INDEX_WORDS), None)
    if labels:
        label = labels[0] - (index is not None and labels[0] > index)
    elif label is not None and index is not None and label > index:
        label -= 1
    return Columns(separator, names, index, label)


def counted(rows: bytes, separator: bytes, count: int) -> int | None:
    """0 if the first of `count` columns counts the rows and is one too many; else None.

    One too many: without it a label and a square picture are left, with it they are not.
    """
    if count < SMALLEST_INDEXED or math.isqrt(count - 2) ** 2 != count - 2:
        return None
    firsts = [row.split(separator, 1)[0].strip() for row in rows.split(b"\n", 20)[:-1]]
    if len(firsts) < 3:
        return None
    for first in (0, 1):
        if firsts == [b"%d" % (first + k) for k in range(len(firsts))]:
            return 0
    return None


def find_label(table: Array, columns: Columns, classes: int | None) -> tuple[int, str]:
    """(column of the labels where no word names it, a sentence about that).

    The first; the last if the first cannot be labels, as it never varies or most of its numbers are
    no classes, and the last can.
    """
    last = table.shape[1] - 1
    last_fits = len(table) >= FEW_ROWS and _can_be_labels(table[:, last], classes, at_least=1.0)
    if not last_fits or _can_be_labels(table[:, 0], classes, at_least=MOST_OF):
        also = "; the last could be labels too: name the columns in a first line" * last_fits
        return 0, f"the labels are taken from the first column, as no first line names them{also}"
    return last, (
        f"the labels are taken from the last column, {columns.number(last)}, as the first cannot "
        "be labels and no first line names them"
    )


def _can_be_labels(values: Array, classes: int | None, *, at_least: float) -> bool:
    """Whether enough of these numbers are classes, and not all of them the same."""
    if values.min() == values.max():
        return False
    known = classes or NUMBERS_OF_DIGITS
    right = (values == np.rint(values)) & (values >= 0) & (values < known)
    return bool(right.mean() >= at_least) or (classes is None and are_numbered(values))

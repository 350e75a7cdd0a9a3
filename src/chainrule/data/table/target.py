"""Target of a table: the column that is predicted, found by name or place, and its classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chainrule.core.arrays import Array, Int
from chainrule.core.errors import DataError
from chainrule.core.tables import nearest
from chainrule.data.dataset import MOST_CLASSES
from chainrule.data.labels import first_number
from chainrule.data.readers.columns import LABEL_WORDS
from chainrule.data.table.encode import MOST_NAMED
from chainrule.data.table.table import Table, as_words

PLACES = {"first": 0, "last": -1}
JOINTS = (",", ";", "|", "/", " ")
"""What may stand between two labels in one cell."""


class Target(NamedTuple):
    """Labels 0 .. K - 1 of the rows that have one, and the names of the classes."""

    rows: Int[Array, " N"]
    labels: Int[Array, " N"]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def find_target(names: Sequence[str], label: str, source: str) -> int:
    """Place of the target's column: `label` is its name, its number from 1, first or last.

    Without one it is the only column whose name says so. Raises DataError if there is none.
    """
    if label:
        if label in names:
            return names.index(label)
        if label in PLACES:
            return PLACES[label] % len(names)
        if label.isdecimal() and len(label) < 9 and 1 <= int(label) <= len(names):
            return int(label) - 1
        raise DataError(
            f"{source} has no column {label!r} for the labels: {_remedy(label, names)}"
            f", or first, last, or its number, 1 to {len(names)}."
        )
    words = [place for place, name in enumerate(names) if name.strip().lower() in LABEL_WORDS]
    if len(words) == 1:
        return words[0]
    why = "no column is named as labels" if not words else (
        f"both {names[words[0]]!r} and {names[words[1]]!r} may be the labels"
    )  # fmt: skip
    raise DataError(
        f"{source}: {why}; name the column with --label: {_remedy('', names)}, or first or last."
    )


def _remedy(name: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    close = nearest(name, names)
    near = f"did you mean {close}? " if close else ""
    return f"{near}there are {', '.join(names[:MOST_NAMED])}{more}"


def labels_of(table: Table, target: int, given: Sequence[str] = ()) -> Target:
    """Labels of a table; `given` are names of the classes, or names for labels that are numbers.

    Rows without a label are left out, and said. Raises DataError for one class, for more than 256,
    for two labels in one cell, and for a label that is not among the given classes.
    """
    cells = _plain(table.cells[target])
    rows = np.flatnonzero(np.array([cell != "" for cell in cells]))
    where = f"{table.source}, {table.called(target)}"
    if not rows.size:
        raise DataError(f"{where}: no row has a label; name another column with --label.")
    there = [cells[row] for row in rows]
    found = in_order(set(there))
    if given and set(found) <= set(given):
        classes, names = tuple(given), tuple(given)
    elif given:
        if len(given) != len(found) or first_number(found) is None:
            strange = next((name for name in found if name not in given), found[0])
            raise DataError(
                f"{where}: the label {strange[:40]!r} is not among the classes "
                f"{', '.join(given[:MOST_NAMED])}; correct it, or name all {len(found)} classes."
            )
        classes, names = found, tuple(given)
    else:
        classes = names = found
    _check(table, target, classes, there, rows)
    number = {name: k for k, name in enumerate(classes)}
    labels = np.array([number[cell] for cell in there], np.int64)
    lacking = table.rows - len(rows)
    notes = (f"left out: {lacking:,} rows without a label",) if lacking else ()
    return Target(rows, labels, names, notes)


def _plain(cells: Array) -> list[str]:
    """Labels as words; where all are numbers, 1.0 and 1 are the same."""
    words: list[str] = as_words(cells).tolist()
    try:
        numbers = {word: f"{float(word):.17g}" for word in set(words) - {""}}
    except ValueError:
        return words
    return [numbers.get(word, word) for word in words]


def in_order(names: set[str]) -> tuple[str, ...]:
    """Names of classes in their order: numbers by size, words by letter."""
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        return tuple(sorted(names))


def _check(
    table: Table,
    target: int,
    classes: tuple[str, ...],
    there: Sequence[str],
    rows: Int[Array, " N"],
) -> None:
    where = f"{table.source}, {table.called(target)}"
    if len(set(there)) == 1:
        raise DataError(
            f"{where}: all {len(there):,} labels are {there[0][:40]!r}, so there is nothing to "
            "learn; name another column with --label, or bring examples of other classes."
        )
    known = set(classes)
    for name in classes:
        for joint in JOINTS:
            parts = {part.strip() for part in name.split(joint)}
            if len(parts) > 1 and parts <= known:
                row = int(rows[there.index(name)])
                raise DataError(
                    f"{table.row(row)}, {table.called(target)}: {name[:40]!r} holds "
                    f"{len(parts)} labels; give each row one."
                )
    if len(classes) > MOST_CLASSES or 2 * len(classes) > len(there):
        raise DataError(
            f"{where}: {len(classes):,} different labels in {len(there):,} rows, and there must be "
            f"2 to {MOST_CLASSES} classes, two rows of each at least; name another column with "
            "--label."
        )

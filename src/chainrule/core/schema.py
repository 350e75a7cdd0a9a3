"""Schema of a table: which of its columns are inputs, how their cells become numbers, the target.

A column of numbers becomes one input, standardised: (x - mean) / deviation, and 0 where its cell is
empty, which is the mean. A column of words becomes one input for each of its categories, 1 for the
cell's and 0 for the others ("one-hot"); a word that is none of them is 0 in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

MOST_COLUMNS = 65_536
"""Columns, and categories of all columns together."""
LONGEST_NAME = 4096


@dataclass(frozen=True)
class Column:
    """Column of a table that is an input: numbers, or words if it has categories."""

    name: str
    place: int
    """In the file that was trained on, from 0."""
    mean: float = 0.0
    deviation: float = 1.0
    """Standard deviation of the training part; of a column of words 1."""
    categories: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        """Number of inputs it becomes."""
        return len(self.categories) or 1

    def as_json(self) -> dict[str, Any]:
        """Its fields, for the model file."""
        own = {"categories": list(self.categories)} if self.categories else {}
        numbers = {"mean": self.mean, "deviation": self.deviation}
        return {"name": self.name, "place": self.place} | (own or numbers)

    @classmethod
    def from_json(cls, found: Any) -> Column:
        """Column from what `as_json` gave; ValueError, KeyError or TypeError if invalid."""
        name, place = _name(found["name"]), _place(found["place"])
        if "categories" in found:
            categories = tuple(_name(word) for word in found["categories"])
            if not categories or len(set(categories)) < len(categories):
                raise ValueError(f"column {name!r}: its categories are none, or not all different")
            return cls(name, place, categories=categories)
        mean, deviation = float(found["mean"]), float(found["deviation"])
        if not (isfinite(mean) and isfinite(deviation) and deviation > 0):
            raise ValueError(f"column {name!r}: mean {mean}, standard deviation {deviation}")
        return cls(name, place, mean, deviation)


@dataclass(frozen=True)
class Schema:
    """Schema of a table: its input columns, in the order of the inputs, and its target."""

    columns: tuple[Column, ...]
    target: str
    """Name of the column that is predicted."""
    target_place: int
    width: int
    """Columns of the file that was trained on."""
    header: bool
    """Its first line names the columns."""

    @property
    def inputs(self) -> int:
        """Number of inputs of a network."""
        return sum(column.inputs for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the input columns."""
        return tuple(column.name for column in self.columns)

    def as_json(self) -> dict[str, Any]:
        """Its fields, for the model file."""
        return {
            "columns": [column.as_json() for column in self.columns],
            "target": self.target,
            "target_place": self.target_place,
            "width": self.width,
            "header": self.header,
        }

    @classmethod
    def from_json(cls, found: Any) -> Schema:
        """Schema from what `as_json` gave; ValueError, KeyError or TypeError if invalid."""
        columns = tuple(Column.from_json(column) for column in found["columns"])
        schema = cls(
            columns,
            _name(found["target"]),
            _place(found["target_place"]),
            _place(found["width"]),
            bool(found["header"]),
        )
        places = [schema.target_place, *(column.place for column in columns)]
        names = [schema.target, *schema.names]
        if not 1 <= schema.inputs <= MOST_COLUMNS:
            raise ValueError(f"{schema.inputs} inputs; a table has 1 to {MOST_COLUMNS:,}")
        if len(set(places)) < len(places) or max(places) >= schema.width:
            raise ValueError("the places of the columns are not different, or outside the table")
        if schema.header and len(set(names)) < len(names):
            raise ValueError("the names of the columns are not all different")
        return schema


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ValueError(f"name {str(value)[:40]!r}; it is a text of {LONGEST_NAME:,} characters")
    return value


def _place(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_COLUMNS:
        raise ValueError(f"place {value!r}; it is a whole number up to {MOST_COLUMNS:,}")
    return value

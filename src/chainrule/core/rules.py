"""Rules of values that were read from a file: what each may be, and in words.

A file that is whole may still hold anything: whoever wrote it chose its values.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST = 1.7e308
"""Below the largest float: what is finite."""


class Rule(ABC):
    """Rule of one value; its text completes a sentence that begins with `it is not`."""

    @abstractmethod
    def allows(self, value: object) -> bool:
        """True for a value that follows the rule."""


@dataclass(frozen=True)
class Value(Rule):
    """Rule of one number: its type and its range; with `absent`, None is allowed too."""

    kind: type = float
    low: int | float = -LARGEST
    high: int | float = LARGEST
    absent: bool = False

    def allows(self, value: object) -> bool:
        """True for a value that follows the rule."""
        if value is None:
            return self.absent
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        of_kind = self.kind is float or isinstance(value, int)
        if self.kind is float and isinstance(value, int) and abs(value) > LARGEST:
            return False
        return of_kind and self.low <= value <= self.high  # False for nan

    def __str__(self) -> str:
        noun = "a whole number" if self.kind is int else "a number"
        return f"{noun} from {self.low:g} to {self.high:g}{' or null' * self.absent}"


@dataclass(frozen=True)
class Text(Rule):
    """Rule of a text, of at most so many characters, that matches a pattern, if there is one."""

    longest: int = 10_000
    pattern: str = ""
    absent: bool = False

    def allows(self, value: object) -> bool:
        """True for a value that follows the rule."""
        if value is None:
            return self.absent
        if not isinstance(value, str) or len(value) > self.longest:
            return False
        return not self.pattern or re.fullmatch(self.pattern, value) is not None

    def __str__(self) -> str:
        like = f" like {self.pattern}" * bool(self.pattern)
        return f"a text of at most {self.longest:,} characters{like}{' or null' * self.absent}"


@dataclass(frozen=True)
class Flag(Rule):
    """Rule of a value that is true or false."""

    def allows(self, value: object) -> bool:
        """True for a value that follows the rule."""
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class ListOf(Rule):
    """Rule of a list: its items', and how many there may be."""

    item: Rule
    most: int
    least: int = 0
    absent: bool = False

    def allows(self, value: object) -> bool:
        """True for a value that follows the rule."""
        if value is None:
            return self.absent
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            return False
        return all(map(self.item.allows, value))

    def __str__(self) -> str:
        null = " or null" * self.absent
        return f"a list of {self.least:,} to {self.most:,} values, each {self.item}{null}"


@dataclass(frozen=True)
class Table(Rule):
    """Rule of a table: of its values by their names, those `needed`, and of all `other` ones.

    Without a rule for others, these may be anything.
    """

    values: Mapping[str, Rule] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    other: Rule | None = None

    def allows(self, value: object) -> bool:
        """True for a value that follows the rule."""
        return isinstance(value, dict) and not (any(self.broken(value)) or self.missing(value))

    def missing(self, table: Mapping[str, Any]) -> list[str]:
        """Names of values that are needed, and not there."""
        return [name for name in self.needed if name not in table]

    def broken(self, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """(name, sentence) of each value that breaks its rule."""
        for name, value in table.items():
            rule = self.values.get(name, self.other)
            if rule and not rule.allows(value):
                yield name, f"{short(name)[1:-1]} is {short(value)}, not {rule}"

    def __str__(self) -> str:
        return "a table" + f" with {', '.join(self.values)}" * bool(self.values)


def short(value: object) -> str:
    """The value in at most 60 characters; an integer's digits may be too many to be written."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"a number of {value.bit_length():,} bits"
    if value is None:
        return "null"
    return ascii(value)[:60] if isinstance(value, str | int | float) else type(value).__name__

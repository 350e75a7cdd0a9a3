"""Lookup tables of named choices: from a word such as "relu" to the function it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NoReturn, TypeVar

Row = TypeVar("Row")


def nearest(name: str, choices: Iterable[str]) -> str:
    """The choice closest to a misspelt or shortened name; empty if none is close.

    >>> nearest("fsat", ["accurate", "fast", "record"])
    'fast'
    """
    by_lower_case = {choice.lower(): choice for choice in choices}
    word = name[:100].lower()
    begun = [choice for choice in by_lower_case if len(word) > 2 and choice.startswith(word)]
    matches = get_close_matches(word, by_lower_case, n=1) or begun
    return by_lower_case[matches[0]] if matches else ""


def remedy(name: object, choices: Iterable[str]) -> str:
    """The end of an error message about a wrong name: the nearest choice, and all of them.

    >>> remedy("fsat", ["accurate", "fast"])
    'did you mean fast? choose one of accurate, fast'
    """
    names = [choice for choice in choices if choice]
    close = nearest(name, names) if isinstance(name, str) else ""
    return f"{f'did you mean {close}? ' if close else ''}choose one of {', '.join(names)}"


class Table(dict[str, Row]):
    """Lookup table; an unknown name raises ValueError with the nearest name and all choices.

    >>> Table("fruit", {"apple": 1, "pear": 2})["plum"]
    Traceback (most recent call last):
        ...
    ValueError: unknown fruit 'plum': choose one of apple, pear
    >>> Table("fruit", {"apple": 1, "pear": 2})["aple"]
    Traceback (most recent call last):
        ...
    ValueError: unknown fruit 'aple': did you mean apple? choose one of apple, pear
    """

    def __init__(self, noun: str, rows: dict[str, Row]) -> None:
        super().__init__(rows)
        self.noun = noun

    def __missing__(self, name: object) -> NoReturn:
        raise ValueError(f"unknown {self.noun} {name!r}: {remedy(name, self)}")

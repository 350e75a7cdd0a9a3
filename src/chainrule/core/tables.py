"""A table of named choices: what turns a word such as "relu" into the function it stands for."""

from __future__ import annotations

from typing import NoReturn, TypeVar

Row = TypeVar("Row")


class Table(dict[str, Row]):
    """Rows by name; an unknown name raises and lists the choices.

    >>> Table("fruit", {"apple": 1, "pear": 2})["plum"]
    Traceback (most recent call last):
        ...
    ValueError: unknown fruit 'plum': choose one of apple, pear
    """

    def __init__(self, noun: str, rows: dict[str, Row]) -> None:
        super().__init__(rows)
        self.noun = noun

    def __missing__(self, name: object) -> NoReturn:
        raise ValueError(f"unknown {self.noun} {name!r}: choose one of {', '.join(self)}")

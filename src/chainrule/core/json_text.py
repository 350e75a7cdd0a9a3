"""JSON that is read back as it was written: what it cannot hold is refused before it is written.

Python's own writer takes more: nan, which is no JSON; keys that are numbers, which come back as
texts; halves of characters, which no other program takes. Of the rest it names the type only.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

DEEPEST = 64
"""Levels of lists and tables."""
LARGEST_BITS = 1024
"""Of a whole number: as large as the largest float."""


def to_json(value: Any, *, finite: bool = True, sort: bool = False) -> str:
    """The JSON of a value; ValueError, naming the place and the rule, for what is no JSON.

    Tuples are written as lists. Numbers are `finite`, unless nan and infinity are asked for.
    `sort` puts the names in order, so that equal values give the same text.
    """
    check_json(value, finite=finite)
    return json.dumps(value, sort_keys=sort)


def check_json(value: Any, *, finite: bool = True) -> None:
    """Raises ValueError, naming the place and the rule, for a value that `to_json` refuses."""
    _check(value, "", 0, finite=finite)


def _check(value: Any, place: str, depth: int, *, finite: bool) -> None:
    here = place or "it"
    if depth > DEEPEST:
        raise ValueError(f"{here[:80]} is nested more than {DEEPEST} levels deep, or holds itself")
    if isinstance(value, dict):
        for name, one in value.items():
            if not isinstance(name, str):
                raise ValueError(f"{here} has the name {_short(name)}; names are texts")
            _check_text(name, f"a name in {here}")
            _check(one, f"{place}.{_name(name)}".lstrip("."), depth + 1, finite=finite)
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            _check(one, f"{place}[{number}]", depth + 1, finite=finite)
    elif isinstance(value, str):
        _check_text(value, here)
    elif isinstance(value, float):
        if finite and not isfinite(value):
            raise ValueError(f"{here} is {value}; give a finite number, or None")
    elif isinstance(value, int):
        if value.bit_length() > LARGEST_BITS:
            raise ValueError(f"{here} is a number of {value.bit_length():,} bits; give a text")
    elif value is not None:
        raise ValueError(
            f"{here} is of type {type(value).__name__}; give a text, a number of Python's own, "
            "True, False, None, a list or a dict of these"
        )


def _check_text(text: str, here: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{here} is {_short(text)}, which holds half a character") from None


def _name(name: str) -> str:
    return ascii(name[:40])[1:-1]


def _short(value: object) -> str:
    return ascii(value)[:60] if isinstance(value, str | int | float | None) else str(type(value))

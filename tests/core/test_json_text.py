"""JSON is read back as it was written, or not written."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.json_text import DEEPEST, check_json, to_json

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**1023), 2**1023)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    PLAIN, lambda one: st.lists(one, max_size=4) | st.dictionaries(NAMES, one, max_size=4)
)


@given(VALUES)
def test_what_is_written_comes_back(value: Any) -> None:
    assert json.loads(to_json(value)) == value


def nested(levels: int) -> Any:
    value: Any = 1
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


def its_own() -> Any:
    value: dict[str, Any] = {}
    value["me"] = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": {"b": [0, float("nan")]}}, "a.b[1] is nan; give a finite number"),
        ([float("inf")], "[0] is inf"),
        ({"a": {1: 2}}, "a has the name 1; names are texts"),
        ({None: 2}, "it has the name None; names are texts"),
        ({"a": {"\ud800": 2}}, "half a character"),
        ({"a": "x\udfff"}, "a is 'x\\udfff', which holds half a character"),
        ({"a": np.float32(1)}, "a is of type float32; give a text, a number of Python's own"),
        ({"a": {1, 2}}, "a is of type set"),
        ({"a": b"x"}, "a is of type bytes"),
        ({"a": np.ones(2)}, "a is of type ndarray"),
        ({"a": 10**400}, "a is a number of 1,329 bits"),
        (nested(DEEPEST + 1), "nested more than 64 levels deep"),
        (its_own(), "or holds itself"),
    ],
)
def test_what_is_no_json_is_named_with_its_place(value: Any, words: str) -> None:
    for check in (check_json, to_json):
        with pytest.raises(ValueError, match=re.escape(words)):
            check(value)


def test_the_deepest_and_what_is_not_finite_where_that_is_asked_for() -> None:
    assert json.loads(to_json(nested(DEEPEST))) == nested(DEEPEST)
    assert to_json([float("inf")], finite=False) == "[Infinity]"
    assert to_json({"b": 1, "a": (2,)}, sort=True) == '{"a": [2], "b": 1}'

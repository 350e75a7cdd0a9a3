"""Rules of values: what each allows, and how it says what it does not."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from chainrule.core.rules import Flag, ListOf, Rule, Table, Text, Value, short

COUNT = Value(int, 0, 9)
PAIR = ListOf(COUNT, 2, 2)
TABLE = Table({"n": COUNT, "t": Text(3)}, needed=("n",))


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (COUNT, [0, 9], [-1, 10, 0.5, 1.0, True, None, "1", nan, [1], 10**5000]),
        (Value(), [1, 1.5, -1e300], [inf, -inf, nan, 10**400, True, None]),
        (Value(float, 0, inf), [inf, 0], [nan, -1e-9]),
        (Value(absent=True), [None, 0.5], [nan]),
        (Text(3), ["", "abc"], ["abcd", None, 3, b"abc"]),
        (Text(9, pattern="[ab]+"), ["ab"], ["", "abc", "ab\n"]),
        (Text(absent=True), [None, "a"], [0]),
        (Flag(), [True, False], [0, 1, None, "true"]),
        (PAIR, [[1, 2]], [[1], [1, 2, 3], [1, "2"], (1, 2), "12", None, {0: 1, 1: 2}]),
        (ListOf(PAIR, 1, absent=True), [[], [[1, 2]], None], [[1, 2], [[1, 2], [1, 2]]]),
        (TABLE, [{"n": 1}, {"n": 1, "t": "x", "more": {}}], [{}, {"t": "x"}, {"n": -1}, [], None]),
        (Table(other=COUNT), [{}, {"a": 1}], [{"a": "b"}]),
    ],
)
def test_a_rule_allows_these_and_not_those(rule: Rule, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not rule.allows(value)] == []
    assert [value for value in bad if rule.allows(value)] == []
    assert 0 < len(str(rule)) < 200


def test_what_is_broken_is_told_in_words_of_bounded_length() -> None:
    table = {"n": 10**4000, "t": "\x1b" * 9999, "\n" * 999: 1}
    told = dict(TABLE.broken(table))
    assert told["n"] == "n is a number of 13,288 bits, not a whole number from 0 to 9"
    assert told["t"].startswith("t is '\\x1b\\x1b")
    assert all(len(one) < 200 and one.isprintable() for one in told.values())
    assert TABLE.missing({}) == ["n"]
    assert short(None) == "null"
    assert short([1]) == "list"

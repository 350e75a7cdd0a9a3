"""Mutations of JSON and TOML trees: a value somewhere is changed, removed, or doubled."""

from __future__ import annotations

import json
from typing import Any

from stress.fuzz.dice import EDGES, Dice

Tree = Any
"""What `json.loads` returns."""
WORDS = ("", "relu", "softmax", "F32", "F64", "I64", "BF16", "F8_E4M3", "__class__", "os.system")
ODD: tuple[Tree, ...] = (
    *(None, True, False, [], {}, [[]], {"": None}, 0.5, -0.0, 1e308, -1e-320, 10**400),
    *(float("inf"), float("nan"), "\ud800", "\0", "9" * 400, "x" * 2000, [0] * 300),
)


def value(dice: Dice) -> Tree:
    """Something that hardly ever belongs where it is put."""
    kind = dice.below(4)
    if kind == 0:
        return dice.one(EDGES)
    if kind == 1:
        return dice.one(WORDS)
    if kind == 2:
        return dice.below(40)
    return dice.one(ODD)


def twisted(tree: Tree, dice: Dice) -> Tree:
    """A copy of the tree with one of its values changed."""
    if isinstance(tree, dict) and tree and dice.maybe(0.9):
        name = dice.one(list(tree))
        copy = dict(tree)
        kind = dice.below(12)
        if kind == 0:
            del copy[name]
        elif kind == 1:
            copy[dice.one(WORDS)] = copy.pop(name)
        elif kind == 2:
            copy[name] = copy[dice.one(list(tree))]
        else:
            copy[name] = twisted(tree[name], dice)
        return copy
    if isinstance(tree, list) and tree and dice.maybe(0.9):
        at = dice.below(len(tree))
        kind = dice.below(8)
        if kind == 0:
            return tree[:at] + tree[at + 1 :]
        if kind == 1:
            return tree[:at] + tree[at : at + 1] * (1 + dice.below(3)) + tree[at:]
        return [*tree[:at], twisted(tree[at], dice), *tree[at + 1 :]]
    if type(tree) is int and dice.maybe():
        return tree + dice.one((-1, 1, 8, -8))
    return value(dice)


def as_json(tree: Tree) -> str:
    """The tree as text, nan and lone surrogates too."""
    return json.dumps(tree, separators=(",", ":"))

"""Mutations of model files, checkpoints, settings: words and tensors, checksum repaired or not."""

from __future__ import annotations

import json
import struct
from functools import cache
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load

from chainrule.core.tensor_file import _digest
from stress.fuzz.dice import Dice, damaged, shuffled
from stress.fuzz.trees import as_json, twisted, value

DESCRIBED = ("model", "progress", "history", "settings", "checksums", "numerics")
"""The words of a file that are JSON themselves."""
TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
LINES = (
    *("a = 1", "[settings]", "[[settings]]", "settings = 3", "a.b.c = 1", "x = [[[[]]]]", "= 1"),
    *("a = {b = {c = 1}}", "d = 1979-99-99", "t = 25:61:00", "s = '''", "n = 1e999", "n = nan"),
    *("n = " + "9" * 4400, "a = " + "[" * 1000, "a" + ".a" * 1500 + " = 1", "\ufeff", "seed = -1"),
    *('"" = 0', 'u = "\\uD800"', "o = 0o777", "b = 0b", "# " + "x" * 9000, "a = [" + "1," * 500),
)


@cache
def parts(seed: bytes) -> tuple[str, bytes]:
    """A safetensors file divided: (header, tensors)."""
    end = 8 + int.from_bytes(seed[:8], "little")
    return seed[8:end].decode(), seed[end:]


def sealed(seed: bytes, dice: Dice) -> bytes:
    """A damaged safetensors file; half of the time with our checksum of what it now holds."""
    if dice.maybe(0.15):
        return damaged(seed, dice)
    text, data = parts(seed)
    header: Any = json.loads(text)
    words = header["__metadata__"]
    kind = dice.below(5)
    if kind < 2:
        name = dice.one([name for name in DESCRIBED if name in words])
        tree = json.loads(words[name])
        for _ in range(dice.few()):
            tree = twisted(tree, dice)
        words[name] = as_json(tree)
        if dice.maybe(0.1):
            raw = damaged(words[name].encode(), dice)
            words[name] = raw.decode("latin1")
    elif kind == 2:
        header = twisted(header, dice)
        if dice.maybe(0.1) and isinstance(header, dict):
            header[dice.one(("3.weight", "", "0.bias", "parameters"))] = TENSOR
    elif kind == 3:
        data = damaged(data, dice)
    else:
        words[dice.one(("format", "sha256", "more"))] = str(value(dice))
    if dice.maybe():
        header = resealed(header, data)
    text = as_json(header)
    if dice.maybe(0.05):
        text = text.replace("{", "{" + text[1 : text.find("}") + 1] + ",", 1)
    raw = text.encode("utf-8", "replace")
    raw += b" " * (-len(raw) % 8)
    length = dice.edge(8) if dice.maybe(0.05) else struct.pack("<Q", len(raw))
    return length + raw + data


def resealed(header: Any, data: bytes) -> Any:
    """The header with the right checksum, where its tensors can be read at all."""
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__"), dict):
        return header
    words = {k: v for k, v in header["__metadata__"].items() if k != "sha256"}
    try:
        text = as_json(header).encode()
        whole = struct.pack("<Q", len(text)) + text + data
        seal = _digest(load(whole), words)
    except (SafetensorError, KeyError, ValueError, TypeError):
        return header
    return header | {"__metadata__": words | {"sha256": seal}}


def config(seed: bytes, dice: Dice) -> bytes:
    """TOML with lines lost, doubled and added, values exchanged."""
    if dice.maybe(0.3):
        return damaged(seed, dice)
    lines = seed.decode().split("\n")
    if dice.maybe(0.7):
        at = dice.below(len(lines))
        name, _, old = lines[at].partition(" = ")
        new = str(value(dice)) if dice.maybe() else damaged(old.encode(), dice).decode("latin1")
        lines[at] = f"{name} = {new}"
    if dice.maybe():
        lines = shuffled(lines, dice, lambda: dice.one(LINES))
    return "\n".join(lines).encode("utf-8", "replace")

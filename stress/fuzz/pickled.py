"""Mutations of pickles: opcodes exchanged, doubled, removed, added, with well-formed arguments."""

from __future__ import annotations

import pickletools
import struct
from functools import cache
from itertools import pairwise

from stress.fuzz.dice import Dice, damaged, shuffled

NAMES = (
    *(b"numpy\nndarray\n", b"numpy\ndtype\n", b"numpy._core.multiarray\n_reconstruct\n"),
    *(b"numpy.core.multiarray\n_reconstruct\n", b"numpy._core.numeric\n_frombuffer\n"),
    *(b"_codecs\nencode\n", b"os\nsystem\n", b"builtins\neval\n", b"builtins\ngetattr\n"),
    *(b"numpy.testing._private.utils\nrunstring\n", b"numpy\nload\n", b"\n\n"),
)
SIMPLE = b"(.0122NR]})tlsebuaodJ\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x81"
TEXTS = (b"u1", b"<f4", b"f8", b"O8", b"latin1", b"hex", b"b", b"C", b"<", b"", b"numpy", b"dtype")


def operation(dice: Dice) -> bytes:
    """One operation with a fitting argument."""
    kind = dice.below(9)
    if kind == 0:
        return b"c" + dice.one(NAMES)
    if kind == 1:
        return b"J" + dice.edge(4)
    if kind == 2:
        return b"K" + dice.edge(1)
    if kind == 3:
        return dice.one((b"h", b"q")) + bytes([dice.below(24)])
    if kind == 4:
        return dice.one((b"j", b"r")) + dice.edge(4)
    if kind == 5:
        content = dice.one(TEXTS)
        length = dice.edge(1) if dice.maybe(0.2) else bytes([len(content)])
        return dice.one((b"U", b"C", b"\x8c")) + length + content
    if kind == 6:
        content = dice.one(TEXTS)
        length = dice.edge(4) if dice.maybe(0.2) else struct.pack("<I", len(content))
        return dice.one((b"X", b"T", b"B")) + length + content
    if kind == 7:
        return dice.one((b"I", b"L", b"g", b"p", b"V", b"S", b"F")) + dice.noise(6) + b"\n"
    return bytes([dice.one(SIMPLE)])


@cache
def operations(seed: bytes) -> tuple[bytes, ...]:
    """A pickle divided into its operations."""
    starts = [position or 0 for _, _, position in pickletools.genops(seed)] + [len(seed)]
    return tuple(seed[a:b] for a, b in pairwise(starts))


def pickled(seed: bytes, dice: Dice) -> bytes:
    """A pickle that is not quite the seed; half of the time it still ends where a pickle does."""
    if dice.maybe(0.15):
        return damaged(seed, dice)
    pieces = list(operations(seed))
    if dice.maybe(0.6):
        pieces = shuffled(pieces, dice, lambda: operation(dice))
    if dice.maybe():
        at = dice.below(len(pieces))
        if len(pieces[at]) > 1:
            pieces[at] = pieces[at][:1] + damaged(pieces[at][1:], dice)
    if dice.maybe(0.05):
        at = dice.below(len(pieces))
        pieces[at:at] = pieces[at : at + 8] * dice.below(60)
    whole = b"".join(pieces)
    if dice.maybe() and not whole.endswith(b"."):
        whole += b"."
    return whole

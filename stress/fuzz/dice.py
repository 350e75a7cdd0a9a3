"""Random choices, the same for the same seed, and mutations that apply to any file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
DRAWN = 4096
EDGES = (
    *(0, 1, 2, 3, 4, 7, 8, 9, 10, 27, 28, 100, 127, 128, 255, 256, 257, 784, 1000, 4096, 10_000),
    *(2**15 - 1, 2**15, 2**16 - 1, 2**16, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32),
    *(2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -128, -(2**31), -(2**63)),
)
"""Numbers at which sizes, signs and types end."""
WIDTHS = (1, 2, 4, 8)


class Dice:
    """Random numbers, drawn from the generator many at a time: one at a time takes ten times it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._drawn: list[float] = []

    def chance(self) -> float:
        """A number from 0 to below 1."""
        if not self._drawn:
            self._drawn = self._rng.random(DRAWN).tolist()
        return self._drawn.pop()

    def below(self, end: int) -> int:
        """A whole number from 0 to end - 1; 0 if there is none."""
        return int(self.chance() * end)

    def maybe(self, probability: float = 0.5) -> bool:
        """True with this probability."""
        return self.chance() < probability

    def one(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def few(self) -> int:
        """1, and with falling probability 2, 3, ... 8."""
        count = 1
        while count < 8 and self.maybe(0.4):
            count += 1
        return count

    def edge(self, width: int = 0, order: str = "little") -> bytes:
        """A number from EDGES in 1, 2, 4 or 8 bytes."""
        width = width or self.one(WIDTHS)
        value = self.one(EDGES) % (1 << 8 * width)
        return value.to_bytes(width, "big" if order == "big" else "little")

    def noise(self, longest: int = 16) -> bytes:
        """A few bytes."""
        return bytes(self.below(256) for _ in range(1 + self.below(longest)))


def flip(data: bytes, dice: Dice) -> bytes:
    """One bit is another."""
    at = dice.below(len(data))
    return data[:at] + bytes([data[at] ^ 1 << dice.below(8)]) + data[at + 1 :]


def replace(data: bytes, dice: Dice) -> bytes:
    """A few bytes are others."""
    at, new = dice.below(len(data)), dice.noise(4)
    return data[:at] + new + data[at + len(new) :]


def insert(data: bytes, dice: Dice) -> bytes:
    """A few bytes more."""
    at = dice.below(len(data) + 1)
    return data[:at] + dice.noise() + data[at:]


def cut(data: bytes, dice: Dice) -> bytes:
    """The end is missing."""
    return data[: dice.below(len(data))]


def drop(data: bytes, dice: Dice) -> bytes:
    """A piece is missing."""
    at = dice.below(len(data))
    return data[:at] + data[at + 1 + dice.below(min(64, len(data))) :]


def double(data: bytes, dice: Dice) -> bytes:
    """A piece is there twice."""
    at = dice.below(len(data))
    end = at + 1 + dice.below(min(64, len(data) - at))
    return data[:end] + data[at:end] + data[end:]


def move(data: bytes, dice: Dice) -> bytes:
    """A piece stands elsewhere."""
    at, to = dice.below(len(data)), dice.below(len(data))
    piece = data[at : at + 1 + dice.below(32)]
    return data[:to] + piece + data[to + len(piece) :]


def number(data: bytes, dice: Dice) -> bytes:
    """A number from EDGES stands somewhere."""
    new = dice.edge(order=dice.one(("little", "big")))
    at = dice.below(len(data))
    return data[:at] + new + data[at + len(new) :]


DAMAGE: tuple[Callable[[bytes, Dice], bytes], ...] = (
    flip,
    replace,
    insert,
    cut,
    drop,
    double,
    move,
    number,
)


def damaged(data: bytes, dice: Dice) -> bytes:
    """The bytes after one to eight of DAMAGE."""
    for _ in range(dice.few()):
        if not data:
            break
        data = dice.one(DAMAGE)(data, dice)
    return data


def spliced(one: bytes, other: bytes, dice: Dice) -> bytes:
    """The beginning of one and the end of the other."""
    return one[: dice.below(len(one) + 1)] + other[dice.below(len(other) + 1) :]


def shuffled(pieces: list[T], dice: Dice, new: Callable[[], T]) -> list[T]:
    """The pieces with some gone, doubled, moved, swapped, or new ones among them."""
    pieces = list(pieces)
    for _ in range(dice.few()):
        at, kind = dice.below(len(pieces) + 1), dice.below(5)
        if kind == 0 or not pieces:
            pieces.insert(at, new())
            continue
        other = dice.below(len(pieces))
        if kind == 1:
            del pieces[other]
        elif kind == 2:
            pieces.insert(at, pieces[other])
        elif kind == 3:
            pieces.insert(at, pieces.pop(other))
        else:
            pieces[other] = new()
    return pieces

"""Preprocessing of pictures for a network: the form of its training images, measured on them.

A picture that is not in this form (a photo, a drawing, another size) is brought into it before
prediction. `chainrule.digits.form` measures it, `chainrule.digits.preprocess` applies it, and the
model file keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from chainrule.core.arrays import Array

CENTRINGS = ("mass", "box")
"""What is in the middle of an image: the ink's centre of mass, or its bounding box."""


@dataclass(frozen=True)
class Preprocessing:
    """Polarity and frame of the training images. Brightness is 0..1; lengths are in pixels."""

    background: float | None
    """Brightness around the ink; None: the images have no common one, pictures are taken whole."""
    ink: float
    """Brightness of full ink."""
    one_polarity: bool
    """True if no training image has the opposite polarity."""
    blank: bool
    """True if there are training images without ink."""
    box: tuple[int, int, int]
    """Longer side of the ink's bounding box: the smallest, the usual and the largest."""
    centring: str
    """A name of CENTRINGS."""
    centre: tuple[int, int]
    """(row, column) of the usual centre: a pixel; for boxes the sum of their first pixel and the
    first after them, so that a half is a whole number too."""
    spread: int
    """Largest distance of the ink from where that centre puts it, along an axis."""
    white: int = 255
    """Number that stands for white in their files: 255, 65,535, 4,095, 16, 1."""

    def as_json(self) -> dict[str, Any]:
        """Its fields, for the model file and the page."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return named | {
            "box": list(self.box),
            "centre": list(self.centre),
            "white": self.white or 255,
        }

    @classmethod
    def from_json(cls, found: Any) -> Preprocessing:
        """Preprocessing from what `as_json` gave; ValueError, KeyError or TypeError if invalid."""
        background = None if found["background"] is None else _unit(found["background"])
        low, usual, high = (_length(side) for side in found["box"])
        row, column = (_length(place) for place in found["centre"])
        if not 0 <= low <= usual <= high:
            raise ValueError(f"box {found['box']} is not in order")
        if found["centring"] not in CENTRINGS:
            raise ValueError(f"centring {found['centring']!r}; there are {', '.join(CENTRINGS)}")
        return cls(
            background=background,
            ink=_unit(found["ink"]),
            one_polarity=_yes_or_no(found["one_polarity"]),
            blank=_yes_or_no(found["blank"]),
            box=(low, usual, high),
            centring=str(found["centring"]),
            centre=(row, column),
            spread=_length(found["spread"]),
            white=_length(found["white"]) or 255,
        )

    def brightness(self, amount: Array) -> Array:
        """Brightness of amounts of ink 0..1, float32."""
        ground = self.background or 0.0
        brightness: Array = (ground + amount * (self.ink - ground)).astype(np.float32)
        return brightness

    def amount(self, brightness: Array) -> Array:
        """Amounts of ink 0..1 of a brightness: the inverse of `brightness`, clipped."""
        ground = self.background or 0.0
        contrast = self.ink - ground or 1.0
        amount: Array = np.clip((brightness - np.float32(ground)) / np.float32(contrast), 0, 1)
        return amount

    @property
    def light_on_dark(self) -> bool:
        """True if ink is brighter than the background."""
        return self.background is not None and self.ink > self.background


MNIST = Preprocessing(
    background=0.0, ink=1.0, one_polarity=True, blank=False, box=(19, 20, 20), centring="mass",
    centre=(14, 14), spread=0,
)  # fmt: skip
"""MNIST's own: a model file of 28 x 28 pixels that has none was written for it."""


def _unit(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"brightness {value!s:.40}; it is a number in 0..1")
    return float(value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!s:.40} where true or false belongs")
    return value


def _length(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 2**20:
        raise ValueError(f"length {value!s:.40}; it is a whole number of pixels")
    return value

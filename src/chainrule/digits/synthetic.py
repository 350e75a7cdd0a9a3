"""Synthetic photos of digits on paper, to measure how well a network reads real ones.

Each has its own colours of paper and ink, dark on light or light on dark, light from one side, and
sensor noise. Sizes, positions, colours, light and noise are random, all from `rng`, so the same
generator gives the same photos.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from chainrule.core.arrays import Array, Float, UInt8

HEIGHT, WIDTH = 480, 640
SMALLEST, LARGEST = 20, 400
"""Longer side of a single digit in pixels; log-uniform, so small ones are as frequent as large."""
LEAST_CONTRAST = 0.3
"""Smallest difference in brightness between ink and paper, both 0..1."""
DARKEST_LIGHT = 0.6
"""Light in the darkest corner of the darkest photo, as a fraction of the brightest."""
MOST_NOISE = 0.04
"""Largest standard deviation of the noise, as a fraction of white."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of ITU-R BT.601, as in Pillow's grey."""
SLANT = 0.1
"""Largest slope of a row of digits: a tenth of its length up or down."""


class Photo(NamedTuple):
    """A photo and the boxes of its digits."""

    picture: UInt8[Array, "h w 3"]
    boxes: list[tuple[int, int, int, int]]
    """(row, column, height, width) of each digit's ink, in the order given."""


def photo_of_one(image: Float[Array, "h w"], rng: np.random.Generator) -> Photo:
    """Photo, 480 x 640 pixels, of one digit, its ink (h, w) in 0..1, anywhere and of any size."""
    longer = SMALLEST * (LARGEST / SMALLEST) ** rng.random()
    digit = _enlarged(image, longer)
    h, w = digit.shape
    row, column = int(rng.integers(HEIGHT - h + 1)), int(rng.integers(WIDTH - w + 1))
    return _taken([(digit, row, column)], rng)


def photo_of_row(images: Float[Array, "n h w"], rng: np.random.Generator) -> Photo:
    """Photo of digits in a row, such as a phone number, that may slope a little.

    Digits are of similar height, 24 to 60 pixels, and 0.2 to 0.5 of that apart.
    """
    n = len(images)
    size = rng.uniform(24, min(60, 0.9 * WIDTH / (1.5 * n)))
    digits = [_enlarged(image, size * rng.uniform(0.9, 1.1)) for image in images]
    gaps = size * rng.uniform(0.2, 0.5, n)
    columns = np.cumsum([0, *(gaps[1:] + [digit.shape[1] for digit in digits[:-1]])])
    length = int(columns[-1]) + digits[-1].shape[1]
    slope = rng.uniform(-SLANT, SLANT)
    rows = slope * columns + size * rng.uniform(-0.08, 0.08, n)
    rows -= rows.min()
    height = math.ceil(rows.max() + 1.1 * size) + 1
    top, left = rng.integers(1, HEIGHT - height), rng.integers(1, max(2, WIDTH - length))
    return _taken(
        [
            (digit, int(top + row), int(left + column))
            for digit, row, column in zip(digits, rows, columns, strict=True)
        ],
        rng,
    )


def _enlarged(image: Float[Array, "h w"], longer: float) -> Float[Array, "_h _w"]:
    """Crops a digit to its ink and scales its longer side to `longer` pixels."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    height, width = (max(1, round(side * longer / max(ink.shape))) for side in ink.shape)
    return np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC))


def _taken(digits: list[tuple[Array, int, int]], rng: np.random.Generator) -> Photo:
    """Photo of digits, each at its (row, column)."""
    cover = np.zeros((HEIGHT, WIDTH, 1))
    boxes = []
    for digit, row, column in digits:
        h, w = digit.shape
        place = cover[row : row + h, column : column + w, 0]
        np.maximum(place, digit[: place.shape[0], : place.shape[1]].clip(0, 1), out=place)
        boxes.append((row, column, h, w))
    ink, paper = _colours(rng)
    picture = (paper + cover * (ink - paper)) * _light(rng)[:, :, None]
    noise = rng.uniform(0, MOST_NOISE) * rng.standard_normal((HEIGHT, WIDTH, 3), np.float32)
    return Photo(np.rint((picture + noise).clip(0, 1) * 255).astype(np.uint8), boxes)


def _colours(rng: np.random.Generator) -> tuple[Float[Array, " 3"], Float[Array, " 3"]]:
    """Random colours (ink, paper), RGB in 0..1, whose brightness differs enough."""
    while True:
        ink, paper = rng.random((2, 3))
        if abs(float((ink - paper) @ LUMA)) >= LEAST_CONTRAST:
            return ink, paper


def _light(rng: np.random.Generator) -> Float[Array, "h w"]:
    """Light from one side: 1 where it is brightest, falling linearly to the opposite corner."""
    angle = rng.uniform(0, 2 * math.pi)
    down, across = np.linspace(-1, 1, HEIGHT)[:, None], np.linspace(-1, 1, WIDTH)
    slope = math.sin(angle) * down + math.cos(angle) * across
    slope = (slope - slope.min()) / (slope.max() - slope.min())
    light: Array = 1 - rng.uniform(0, 1 - DARKEST_LIGHT) * slope
    return light

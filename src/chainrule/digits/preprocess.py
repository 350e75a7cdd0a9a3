"""Preprocessing of drawings and photos: each digit is made to look like MNIST's images.

MNIST's own recipe (http://yann.lecun.com/exdb/mnist): white ink on black, the digit scaled so that
its longer side is 20 pixels, in a field of 28x28 with its centre of mass in the middle. An image
already of this form passes unchanged: all 10,000 test images are fixed points.
web/static/preprocess.js does the same in a browser, function by function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.core.arrays import Array, Float
from chainrule.core.errors import DataError
from chainrule.data.readers.archives import MIB
from chainrule.data.readers.images import grey, read_picture
from chainrule.digits.components import (
    MOST_PARTS,
    Parts,
    connected,
    grouped,
    in_reading_order,
    strokes,
)
from chainrule.digits.ink import FIELD, Ink, drawn_on, scaled

BOX = 20
BOX_SIDES = (19, 20)
"""Three of the 10,000 test images have a longer side of 19, which is left as it is."""
CENTRE = 14
"""The pixel, from 0, on which the centre of mass falls; a centre of 13.5 counts as 14."""
LEAST_STROKE = 8
"""Pixels: the longer side of the smallest stroke in a picture larger than the field."""
LARGEST_PHOTO_SIDE = 16_384
MOST_PHOTO_PIXELS = 64 * MIB


@dataclass(frozen=True)
class Digit:
    """A digit of a picture: its box, and its pixels as in MNIST."""

    box: tuple[int, int, int, int]
    """(row, column, height, width) in pixels of the original picture."""
    pixels: Float[Array, "h w"]
    """(28, 28) float32 in 0..1, white on black, centred."""
    line: int = 0
    """Line of text in the picture, from 0 at the top."""


def read_photo(path: str | Path) -> Image.Image:
    """Reads a PNG or JPEG photo, upright, up to the size of a phone camera's.

    Raises DataError if the file is not such a picture or is too large.
    """
    return read_picture(Path(path), side=LARGEST_PHOTO_SIDE, pixels=MOST_PHOTO_PIXELS)


def read_image(path: str | Path) -> Float[Array, "28 28"]:
    """Reads the digit in a PNG or JPEG file, as `normalize` returns it.

    Raises DataError if the file is not such a picture, is too large, or nothing is drawn on it.
    """
    image = read_photo(path)
    try:
        return normalize(image)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def seen_by(image: Image.Image, shape: tuple[int, int], *, digits: bool) -> list[Digit]:
    """Network inputs from a picture, for a network that takes images of this (height, width).

    MNIST's size: every digit, or, for a network with other classes, the drawing as a whole. Other
    sizes: the picture as it is, which must have that size. Raises DataError if it does not, and if
    nothing is drawn.
    """
    whole = (0, 0, image.height, image.width)
    if shape == (FIELD, FIELD):
        return find(image) if digits else [Digit(whole, normalize(image))]
    if (image.height, image.width) != shape:
        raise DataError(
            f"{image.width} x {image.height} pixels, the network takes {shape[1]} x {shape[0]}; "
            "scale the picture"
        )
    return [Digit(whole, grey(image) / np.float32(255))]


def normalize(image: Image.Image | Array) -> Float[Array, "28 28"]:
    """Normalises one digit to MNIST's format: (28, 28) float32 in 0..1, white on black, centred.

    image is a Pillow image of any mode or size, or an array (h, w), (h, w, 3) or (h, w, 4),
    integers 0..255 or fractions 0..1, dark on light or light on dark. Everything drawn, except
    specks, is taken as one digit. Raises DataError if there is no digit.
    """
    drawn, _ = drawn_on(image)
    if max(drawn.solid.shape) <= FIELD:
        return framed(drawn.amount)
    parts = connected(drawn.solid)
    pieces = strokes(parts, drawn.solid.shape, LEAST_STROKE)
    if not pieces:
        raise DataError("no digit found: only specks are on it; bring a larger digit.")
    return framed(cut(drawn, parts, tuple(piece.members[0] for piece in pieces)))


def find(image: Image.Image | Array) -> list[Digit]:
    """Finds the digits in a picture, such as a phone number on paper, in reading order.

    image is as for `normalize`; a digit needs about 20 pixels. Pieces of a broken digit are
    joined; dots, dashes and lines are left out, and digits that touch are taken as one.
    Raises DataError if there is no digit.
    """
    drawn, size = drawn_on(image)
    parts = connected(drawn.solid)
    least = 1 if max(drawn.solid.shape) <= FIELD else LEAST_STROKE
    pieces = strokes(parts, drawn.solid.shape, least)
    if len(pieces) > MOST_PARTS:
        raise DataError(
            f"no digit found: {len(pieces):,} strokes are on it, and up to {MOST_PARTS} are "
            "read; bring a picture of the digits alone."
        )
    lines = in_reading_order(grouped(pieces))
    if not lines:
        raise DataError("no digit found: only specks, dots or lines are on it; bring a digit.")
    return [
        Digit(
            box_in(size, drawn.solid.shape, (digit.top, digit.left, digit.bottom, digit.right)),
            framed(cut(drawn, parts, digit.members)),
            number,
        )
        for number, line in enumerate(lines)
        for digit in line
    ]


def box_in(
    size: tuple[int, int], working: tuple[int, ...], box: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Box at the working size as (row, column, height, width) in a picture of this size."""
    top, left, bottom, right = box
    row, column = top * size[0] // working[0], left * size[1] // working[1]
    height, width = -(-bottom * size[0] // working[0]) - row, -(-right * size[1] // working[1])
    return row, column, height, width - column


def cut(drawn: Ink, parts: Parts, members: tuple[int, ...]) -> Float[Array, "h w"]:
    """Cuts out the ink of some parts, with the margin where their strokes fade into paper.

    The margin is as wide as one pixel of the result.
    """
    boxes = parts.boxes[np.array(members) - 1]
    top, left = (int(boxes[:, side].min()) for side in (0, 1))
    bottom, right = (int(boxes[:, side].max()) for side in (2, 3))
    reach = max(1, max(bottom - top, right - left) // BOX)
    inside = (
        slice(max(top - reach, 0), bottom + reach),
        slice(max(left - reach, 0), right + reach),
    )
    labels = parts.labels[inside]
    own = np.isin(labels, members)
    mine = own | (spread(own, reach) & (labels == 0))
    return np.where(mine, drawn.amount[inside], 0)


def spread(mask: Array, reach: int) -> Array:
    """Dilates a mask: True within `reach` pixels of a True, down or across."""
    for _ in range(2):
        sums = np.cumsum(np.pad(mask, ((reach + 1, reach), (0, 0))), axis=0)
        mask = (sums[2 * reach + 1 :] > sums[: -2 * reach - 1]).T
    return mask


def framed(amount: Float[Array, "h w"]) -> Float[Array, "28 28"]:
    """Frames ink as in MNIST: its box scaled to 20 pixels, its centre of mass in the middle."""
    rows, columns = np.flatnonzero(amount.any(axis=1)), np.flatnonzero(amount.any(axis=0))
    digit = amount[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longer = max(digit.shape)
    if longer not in BOX_SIDES:
        height, width = (scaled(side, BOX, longer) for side in digit.shape)
        digit = resized(digit, height, width)
        digit = digit / digit.max()
    return centred(digit)


def resized(values: Float[Array, "h w"], height: int, width: int) -> Float[Array, "_h _w"]:
    """Resizes by averaging the area of each new pixel, so that thin strokes survive."""
    picture = Image.fromarray(values.astype(np.float32))
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float64)


def centred(digit: Float[Array, "h w"]) -> Float[Array, "28 28"]:
    """Places a digit in the field, its centre of mass on pixel 14 as far as it fits."""
    field = np.zeros((FIELD, FIELD), np.float32)
    place = []
    for axis, side in enumerate(digit.shape):
        mass = digit.sum(axis=1 - axis)
        middle = float(np.arange(side) @ mass / mass.sum())
        # 1e-9: a middle of exactly 13.5 must round up, whatever the last bit of the sum.
        start = CENTRE - math.floor(middle + 0.5 + 1e-9)
        place.append(min(max(start, 0), FIELD - side))
    (row, column), (height, width) = place, digit.shape
    field[row : row + height, column : column + width] = digit
    return field

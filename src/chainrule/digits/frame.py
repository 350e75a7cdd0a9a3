"""Framing of ink in a network's field: scaled to the training images' box, centred as they are.

web/static/frame.js does the same in a browser, function by function.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from PIL import Image

from chainrule.core.arrays import Array, Float
from chainrule.data.readers.images import grey
from chainrule.digits.ink import outline, scaled
from chainrule.nn.preprocessing import MNIST, Preprocessing

MNIST_SHAPE = (28, 28)
ROUNDED_DOWN = 1
"""Pixels: a box this much below the usual one is left as it is, like three of MNIST's tests."""


def framed(
    amount: Float[Array, "h w"], form: Preprocessing = MNIST, shape: tuple[int, int] = MNIST_SHAPE
) -> Float[Array, "_h _w"]:
    """Frames ink in a form: scaled to its box, centred as it is, in its brightness."""
    rows, columns = np.flatnonzero(amount.any(axis=1)), np.flatnonzero(amount.any(axis=0))
    digit = amount[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = fitting(digit.shape, shape, form.box[1])
    fits = digit.shape[0] <= shape[0] and digit.shape[1] <= shape[1]
    below = form.box[1] - max(digit.shape)
    if size != digit.shape and not (fits and below == ROUNDED_DOWN):
        digit = resized(digit, *size)
        digit = digit / digit.max()
    return form.brightness(centred(digit, form, shape))


def fitting(size: tuple[int, ...], shape: tuple[int, int], box: int = 0) -> tuple[int, int]:
    """Largest size in proportion that fits a field, and whose longer side is at most `box`."""
    ratios = [(shape[0], size[0]), (shape[1], size[1])]
    if box:
        ratios.append((box, max(size)))
    new, old = min(ratios, key=lambda ratio: Fraction(*ratio))
    height, width = (
        min(scaled(side, new, old), most) for side, most in zip(size, shape, strict=True)
    )
    return height, width


def resized(values: Float[Array, "h w"], height: int, width: int) -> Float[Array, "_h _w"]:
    """Resizes by averaging the area of each new pixel, so that thin strokes survive."""
    picture = Image.fromarray(values.astype(np.float32))
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float64)


def centred(
    digit: Float[Array, "h w"], form: Preprocessing = MNIST, shape: tuple[int, int] = MNIST_SHAPE
) -> Float[Array, "_h _w"]:
    """Places a digit in the field, its centre where those of the form are, as far as it fits."""
    field = np.zeros(shape)
    place = []
    for axis, side in enumerate(digit.shape):
        start = (form.centre[axis] - side) // 2
        if form.centring == "mass":
            mass = digit.sum(axis=1 - axis)
            middle = float(np.arange(side) @ mass / mass.sum())
            # 1e-9: a middle of exactly 13.5 must round up, whatever the last bit of the sum.
            start = form.centre[axis] - math.floor(middle + 0.5 + 1e-9)
        place.append(min(max(start, 0), shape[axis] - side))
    (row, column), (height, width) = place, digit.shape
    field[row : row + height, column : column + width] = digit
    return field


def fitted_whole(image: Image.Image, shape: tuple[int, int]) -> Float[Array, "h w"]:
    """Scales a whole picture to (h, w), its sides in proportion, with the edge's grey around it."""
    values = grey(image)
    height, width = fitting(values.shape, shape)
    picture = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR)
    field = np.full(shape, np.median(values[outline(values.shape)]), np.float32)
    row, column = (shape[0] - height) // 2, (shape[1] - width) // 2
    field[row : row + height, column : column + width] = np.asarray(picture)
    return field / np.float32(255)

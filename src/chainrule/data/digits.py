"""Any drawing or photo of one digit, made to look as MNIST's images do.

MNIST's own recipe (http://yann.lecun.com/exdb/mnist): white ink on black, the digit scaled so that
its longer side is 20 pixels, in a field of 28x28 with its centre of mass in the middle. An image
that already is like that passes unchanged: all 10,000 test images are fixed points.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.arrays import Array, Float
from chainrule.data.archives import MIB
from chainrule.data.dataset import DataError
from chainrule.data.pictures import grey, read_picture

FIELD = 28
BOX = 20
BOX_SIDES = (19, 20)
"""Three of the 10,000 test images have a longer side of 19: that much is left as it is."""
CENTRE = 14
"""The pixel, from 0, on which the centre of mass falls; a centre of 13.5 counts as 14."""
WORKING_SIDE = 280
"""Photos are averaged down to this before anything else: ten times what the result needs."""
LEAST_CONTRAST = 0.1
"""Ink and paper nearer to each other than this are paper."""
FAINTEST_INK = 0.1
"""In a picture larger than the field, what is fainter than this part of the ink is no ink."""
LARGEST_PHOTO_SIDE = 16_384
MOST_PHOTO_PIXELS = 64 * MIB


def read_image(path: str | Path) -> Float[Array, "28 28"]:
    """The digit in a PNG or JPEG file, as `normalize` returns it.

    Raises DataError when the file is no such picture, is too large, or nothing is drawn on it.
    """
    image = read_picture(Path(path), side=LARGEST_PHOTO_SIDE, pixels=MOST_PHOTO_PIXELS)
    try:
        return normalize(image)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def normalize(image: Image.Image | Array) -> Float[Array, "28 28"]:
    """One digit as MNIST shows it: (28, 28) float32 in 0..1, white on black, centred.

    image is a Pillow image of any mode or size, or an array (h, w), (h, w, 3) or (h, w, 4), whole
    numbers 0..255 or fractions 0..1. Dark ink on light paper and light on dark both do.
    Raises DataError when no digit is there.
    """
    ink = _ink(_shrunk(_brightness(image)))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longer = max(digit.shape)
    if longer not in BOX_SIDES:
        height, width = (max(1, round(side * BOX / longer)) for side in digit.shape)
        digit = _resized(digit, height, width)
        digit = digit / digit.max()
    return _centred(digit)


def _brightness(image: Image.Image | Array) -> Array:
    """Brightness (h, w) in 0..1, float64."""
    if isinstance(image, Image.Image):
        return grey(image) / 255
    array = np.asarray(image)
    if array.dtype.kind not in "uif" or array.size == 0 or array.ndim not in (2, 3):
        raise DataError(
            f"no digit found: an array of shape {array.shape} and type {array.dtype} is no "
            "picture; give (h, w) numbers."
        )
    if array.dtype.kind == "f":
        if not ((array >= 0) & (array <= 1)).all():
            raise DataError("no digit found: fractions must be in 0..1; scale the picture.")
        if array.ndim == 2:
            return array.astype(np.float64)
        array = np.rint(array * 255)
    if array.min() < 0 or array.max() > 255:
        raise DataError("no digit found: whole numbers must be in 0..255; scale the picture.")
    if array.ndim == 3 and array.shape[2] not in (3, 4):
        raise DataError(f"no digit found: {array.shape[2]} colours, and 3 or 4 are read.")
    return grey(Image.fromarray(array.astype(np.uint8))) / 255


def _shrunk(brightness: Array) -> Array:
    longer = max(brightness.shape)
    if longer <= WORKING_SIDE:
        return brightness
    height, width = (max(1, round(side * WORKING_SIDE / longer)) for side in brightness.shape)
    return _resized(brightness, height, width)


def _resized(values: Array, height: int, width: int) -> Array:
    """Scaled with an average over what falls into each pixel, so that thin strokes stay."""
    picture = Image.fromarray(values.astype(np.float32))
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float64)


def _ink(brightness: Array) -> Array:
    """How much ink is on each pixel, 0..1: the distance from the paper, whichever is lighter."""
    edge = _edge(brightness)
    lighter: Array = brightness - np.median(brightness[edge])
    if noise := float(np.median(np.abs(lighter[edge]))):
        # No drawing but a photo, whose paper is lit from one side.
        lighter = brightness - _plane(brightness, edge)
        noise = float(np.median(np.abs(lighter[edge])))
    if -lighter.min() > lighter.max():
        lighter = -lighter
    contrast = float(lighter.max())
    if contrast < LEAST_CONTRAST:
        raise DataError("no digit found: nothing is drawn on it; bring one digit, dark on light.")
    if max(brightness.shape) <= FIELD and not noise:
        # Already at MNIST's size: the faintest grey is a part of the stroke.
        return np.clip(lighter, 0, 1)
    ink: Array = (lighter / contrast).clip(0, 1)
    ink[ink < max(FAINTEST_INK, 6 * noise / contrast)] = 0
    if not ink.any():
        raise DataError("no digit found: nothing stands out of the noise; bring a sharper picture.")
    return ink


def _edge(brightness: Array) -> Array:
    edge: Array = np.ones(brightness.shape, bool)
    edge[1:-1, 1:-1] = False
    return edge


def _plane(brightness: Array, edge: Array) -> Array:
    """The plane a + b*row + c*column through the edge of the picture (least squares)."""
    rows, columns = np.indices(brightness.shape)
    terms = np.stack([np.ones(brightness.shape), rows, columns], axis=-1)
    solution = np.linalg.lstsq(terms[edge], brightness[edge], rcond=None)[0]
    plane: Array = terms @ solution
    return plane


def _centred(digit: Array) -> Float[Array, "28 28"]:
    field = np.zeros((FIELD, FIELD), np.float32)
    place = []
    for axis, side in enumerate(digit.shape):
        mass = digit.sum(axis=1 - axis)
        middle = float(np.arange(side) @ mass / mass.sum())
        # 1e-9: a middle of exactly 13.5 must round up, whatever the last bit of the sum is.
        start = CENTRE - math.floor(middle + 0.5 + 1e-9)
        place.append(min(max(start, 0), FIELD - side))
    (row, column), (height, width) = place, digit.shape
    field[row : row + height, column : column + width] = digit
    return field

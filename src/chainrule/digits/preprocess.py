"""Preprocessing of drawings and photos: each is brought into the form of the training images.

The ink is found, scaled to their box, centred as theirs and given their polarity. MNIST's recipe
(http://yann.lecun.com/exdb/mnist): white ink on black, the digit scaled so that its longer side is
20 pixels, in a field of 28x28 with its centre of mass in the middle. An image already of the form
passes unchanged: all 10,000 test images of MNIST are fixed points.
web/static/preprocess.js does the same in a browser, function by function.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from chainrule.core.arrays import Array, Float
from chainrule.core.errors import DataError
from chainrule.data.readers.archives import MIB
from chainrule.data.readers.images import grey, read_picture
from chainrule.digits.components import (
    MOST_PARTS,
    Group,
    Parts,
    connected,
    grouped,
    in_reading_order,
    left_out,
    strokes,
)
from chainrule.digits.form import departure
from chainrule.digits.frame import MNIST_SHAPE, fitted_whole, framed
from chainrule.digits.ink import Ink, drawn_on
from chainrule.nn.preprocessing import MNIST, Preprocessing

USUAL_WHITE = 255
LEAST_STROKE = 8
"""Pixels: the longer side of the smallest stroke in a picture larger than the field."""
LARGEST_PHOTO_SIDE = 16_384
MOST_PHOTO_PIXELS = 64 * MIB


@dataclass(frozen=True)
class Digit:
    """A digit of a picture: its box, and its pixels as the network takes them."""

    box: tuple[int, int, int, int]
    """(row, column, height, width) in pixels of the original picture."""
    pixels: Float[Array, "h w"]
    """float32 in 0..1, of the size and in the form of the training images."""
    line: int = 0
    """Line of text in the picture, from 0 at the top."""


class TooManyDigitsError(DataError):
    """More digits in a picture than its caller takes; none of them has been cut out."""


class Seen(NamedTuple):
    """Network inputs from a picture, and what was done to it or left out, in words."""

    digits: list[Digit]
    notes: tuple[str, ...] = ()


def read_photo(path: str | Path) -> Image.Image:
    """Reads a PNG or JPEG photo, upright, up to the size of a phone camera's.

    Raises DataError if the file is not such a picture or is too large.
    """
    return read_picture(Path(path), side=LARGEST_PHOTO_SIDE, pixels=MOST_PHOTO_PIXELS)


def read_image(path: str | Path) -> Float[Array, "28 28"]:
    """Reads the digit in a PNG or JPEG file in MNIST's form, as `normalize` returns it.

    Raises DataError if the file is not such a picture, is too large, or nothing is drawn on it.
    """
    image = read_photo(path)
    try:
        return normalize(image)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def seen_by(
    image: Image.Image,
    shape: tuple[int, int],
    form: Preprocessing | None,
    *,
    digits: bool,
    most: int = MOST_PARTS,
) -> Seen:
    """Network inputs from a picture, for a network trained on images of this shape and form.

    A picture of their size and form is taken as it is. Else its ink is brought into the form: every
    digit, or, for a network with other classes, the drawing as a whole. Without a common
    background the picture is scaled whole; without any form it must have the size. Raises
    DataError if it does not, and if nothing is drawn; TooManyDigitsError for more than `most`.
    """
    whole = (0, 0, image.height, image.width)
    same_size = (image.height, image.width) == shape
    if form is None and not same_size:
        raise DataError(
            f"{image.width} x {image.height} pixels, the network takes {shape[1]} x {shape[0]}; "
            "scale the picture"
        )
    notes: tuple[str, ...] = ()
    if same_size:
        pixels = grey(image, white=_white(form)) / np.float32(255)
        reason = departure(pixels, form) if form else ""
        if not reason:
            return Seen([Digit(whole, pixels)])
        notes = (f"{reason}, compared with the training images: converted",)
    if form is None or form.background is None:
        return Seen([Digit(whole, fitted_whole(image, shape))])
    if digits:
        found, lost = _find(image, form, shape, most)
    else:
        pixels, lost = _normalize(image, form, shape)
        found = [Digit(whole, pixels)]
    if lost:
        notes += (f"left out: {lost} stroke{'s' * (lost != 1)} taken for lines, dots or dashes",)
    return Seen(found, notes)


def _white(form: Preprocessing | None) -> int:
    """Number that stands for white in a picture of the form; 0: the usual one of its depth."""
    return form.white if form and form.white != USUAL_WHITE else 0


def normalize(
    image: Image.Image | Array, form: Preprocessing = MNIST, shape: tuple[int, int] = MNIST_SHAPE
) -> Float[Array, "h w"]:
    """Brings one digit into a form, by default MNIST's: (h, w) float32 in 0..1.

    image is a Pillow image of any mode or size, or an array (h, w), (h, w, 3) or (h, w, 4),
    integers 0..255 or fractions 0..1, dark on light or light on dark. Everything drawn, except
    specks, is taken as one digit. Raises DataError if there is no digit.
    """
    return _normalize(image, form, shape)[0]


def _normalize(
    image: Image.Image | Array, form: Preprocessing, shape: tuple[int, int]
) -> tuple[Float[Array, "h w"], int]:
    """(pixels, strokes left out)."""
    drawn, _ = drawn_on(image, max(shape))
    if max(drawn.solid.shape) <= max(shape):
        return framed(drawn.amount, form, shape), 0
    parts = connected(drawn.solid)
    pieces = strokes(parts, drawn.solid.shape, LEAST_STROKE)
    if not pieces:
        raise DataError("no digit found: only specks are on it; bring a larger digit.")
    digit = cut(drawn, parts, tuple(piece.members[0] for piece in pieces), form)
    return framed(digit, form, shape), left_out(parts, pieces, LEAST_STROKE)


def find(
    image: Image.Image | Array, form: Preprocessing = MNIST, shape: tuple[int, int] = MNIST_SHAPE
) -> list[Digit]:
    """Finds the digits in a picture, such as a phone number on paper, in reading order.

    image, form and shape are as for `normalize`; a digit needs about 20 pixels. Pieces of a broken
    digit are joined; dots, dashes and lines are left out, and digits that touch are taken as one.
    Raises DataError if there is no digit.
    """
    return _find(image, form, shape, MOST_PARTS)[0]


def _find(
    image: Image.Image | Array, form: Preprocessing, shape: tuple[int, int], most: int
) -> tuple[list[Digit], int]:
    """(digits, strokes left out)."""
    drawn, size = drawn_on(image, max(shape))
    parts = connected(drawn.solid)
    least = 1 if max(drawn.solid.shape) <= max(shape) else LEAST_STROKE
    pieces = strokes(parts, drawn.solid.shape, least)
    if len(pieces) > MOST_PARTS:
        raise DataError(
            f"no digit found: {len(pieces):,} strokes are on it, and up to {MOST_PARTS} are "
            "read; bring a picture of the digits alone."
        )
    lines = in_reading_order(grouped(pieces))
    if not lines:
        raise DataError("no digit found: only specks, dots or lines are on it; bring a digit.")
    if (count := sum(map(len, lines))) > most:
        raise TooManyDigitsError(f"{count:,} digits are on it, and up to {most:,} are read.")
    digits = [
        Digit(
            box_in(size, drawn.solid.shape, (digit.top, digit.left, digit.bottom, digit.right)),
            framed(cut(drawn, parts, digit.members, form), form, shape),
            number,
        )
        for number, line in enumerate(lines)
        for digit in line
    ]
    used: list[Group] = [digit for line in lines for digit in line]
    return digits, left_out(parts, used, least)


def box_in(
    size: tuple[int, int], working: tuple[int, ...], box: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Box at the working size as (row, column, height, width) in a picture of this size."""
    top, left, bottom, right = box
    row, column = top * size[0] // working[0], left * size[1] // working[1]
    height, width = -(-bottom * size[0] // working[0]) - row, -(-right * size[1] // working[1])
    return row, column, height, width - column


def cut(
    drawn: Ink, parts: Parts, members: tuple[int, ...], form: Preprocessing = MNIST
) -> Float[Array, "h w"]:
    """Cuts out the ink of some parts, with the margin where their strokes fade into paper.

    The margin is as wide as one pixel of the result.
    """
    boxes = parts.boxes[np.array(members) - 1]
    top, left = (int(boxes[:, side].min()) for side in (0, 1))
    bottom, right = (int(boxes[:, side].max()) for side in (2, 3))
    reach = max(1, max(bottom - top, right - left) // max(1, form.box[1]))
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

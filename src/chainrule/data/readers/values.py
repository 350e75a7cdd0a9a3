"""Conversion of pixels and labels of any layout and number type to a `Part`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from chainrule.core.arrays import Array, UInt8
from chainrule.core.errors import DataError
from chainrule.data.dataset import Part

NUMBERS = frozenset({f"{kind}{size}" for kind in "ui" for size in (1, 2, 4, 8)} | {"f4", "f8"})
"""NumPy's codes of the number types allowed for pixels and labels in a file; never objects."""
DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners use of a picture of 16 bits."""
FEW_LEVELS = 16
"""Bytes that are never above this are levels of a coarser scale: 0..1, 0..15, 0..16."""
ROUNDED = 1e-3
"""Far above the rounding of float32 on the scale 0..255, far below one step."""
HALF = 127
"""Fractions above half of 255 are on the scale 0..255."""
ROWS = 4096
"""Images per pass: 4,096 of them are 12 MB of float32, so copies stay small."""


# A file may hold infinities and signalling NaNs; they are refused, without a warning as well.
@np.errstate(over="ignore", invalid="ignore")
def part(images: Array, labels: Array, name: str) -> Part:
    """Images of any layout and number type as (N, h, w), uint8 or float32 in 0..1.

    Layouts: (N, h, w), (N, h, w, 1), or (N, P), which becomes square if P is a square number, else
    one row of P pixels. Numbers: integers are 0..255; the range of floats is measured: -1..1 where
    -1 is reached, 0..255 where all are whole or half of 255 is passed, else 0..1. Floats below 1
    that are all multiples of 1/256, as in mnist.pkl.gz, become the bytes they were made from.
    Raises DataError for any other layout or value; its message starts with `name`.
    """
    if not images.size:
        raise DataError(f"{name} holds no images; bring at least one of each class.")
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        images = images.reshape(len(images), side if side**2 == images.shape[1] else 1, -1)
    if images.ndim != 3 or labels.size != len(images) or labels.shape[:1] != images.shape[:1]:
        raise DataError(
            f"{name}: images of shape {images.shape} and labels of shape {labels.shape}; bring "
            "(N, height, width) grey images and (N,) labels."
        )
    return Part(pixels(images, name), whole(labels.reshape(-1), name))


def white_of(images: Iterable[Array]) -> int:
    """Number that stands for white in pictures of bytes or of 16 bits, measured on all of them.

    255; but where none of the bytes is above 16, the largest, as in tables of 0 and 1, or of 0..16;
    and where pictures have 16 bits, the largest number of the 8, 10, 12, 14 or 16 bits in use.
    """
    highest = {1: 0, 2: 0}
    for image in images:
        highest[image.itemsize] = max(highest[image.itemsize], int(image.max()))
    if highest[2]:
        bits = next(bits for bits in DEPTHS if highest[2] < 2**bits)
        return int(2**bits - 1)
    return highest[1] if 0 < highest[1] <= FEW_LEVELS else 255


def to_bytes(image: Array, white: int) -> UInt8[Array, ...]:
    """Bytes 0..255 of pixels, 8 or 16 bits wide, in a range where `white` is white."""
    if image.itemsize == 2:
        image = image >> (max(white.bit_length(), 8) - 8)
    elif white < 255:
        image = np.rint(image.clip(0, white) * (255 / white))
    return np.asarray(image.clip(0, 255).astype(np.uint8, copy=False))


def pixels(images: Array, name: str) -> Array:
    """Pixel values as uint8 where they are whole (or v/256), else as float32 in 0..1."""
    if images.dtype == np.uint8:
        return images
    black, white = measured_range(images) if images.dtype.kind == "f" else (0, 255)
    _check_range(images, black, white, name)
    blocks = [images[start : start + ROWS] for start in range(0, len(images), ROWS)]
    in_bytes = all(_are_bytes(_steps(block, black, white)) for block in blocks)
    if white == 255 and not in_bytes:
        check_one_scale(images, f"{name}, image", 1)
    if not in_bytes and images.dtype == np.float32 and (black, white) == (0, 1):
        return images  # as they are, and not a second time
    result = np.empty(images.shape, np.uint8 if in_bytes else np.float32)
    for start, block in zip(range(0, len(images), ROWS), blocks, strict=True):
        result[start : start + ROWS] = (
            _steps(block, black, white) if in_bytes else (block - black) / (white - black)
        )
    return result


def _steps(block: Array, black: int, white: int) -> Array:
    """The bytes that these pixels were made from, if they were made from bytes."""
    if (black, white) == (0, 255):
        return block
    steps: Array = block * block.dtype.type(256)
    if black == 0:
        return steps
    steps = (block + 1) * block.dtype.type(127.5)
    whole = np.rint(steps)
    np.copyto(steps, whole, where=np.abs(steps - whole) < ROUNDED)
    return steps


def measured_range(images: Array) -> tuple[int, int]:
    """(black, white) of floats, measured: (-1, 1), (0, 255), or else (0, 1)."""
    low, high = float(images.min()), float(images.max())
    if low == -1 and high <= 1:
        return -1, 1
    if low >= 0 and 1 < high <= 255 and (high > HALF or are_whole(images)):
        return 0, 255
    return 0, 1


def are_whole(images: Array) -> bool:
    """Whether all are whole numbers; block by block, so that copies stay small."""
    blocks = (images[start : start + ROWS] for start in range(0, len(images), ROWS))
    return all((block == np.rint(block)).all() for block in blocks)


def _check_range(images: Array, black: int, white: int, name: str) -> None:
    for start in range(0, len(images), ROWS):
        block = images[start : start + ROWS]
        # Not (0 <= x <= 1) rather than x < 0 or x > 1: a NaN fails every comparison.
        if (bad := ~((block >= black) & (block <= white))).any():
            row = int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))
            raise DataError(
                f"{name}, image {start + row + 1:,}: pixel value {block[row][bad[row]][0]:g}, and "
                "pixels are whole numbers in 0..255, or fractions in 0..1, in 0..255, or from -1 "
                "to 1; correct that image, or give all pixels as they were before they were "
                "standardised."
            )


def check_one_scale(images: Array, name: str, first: int) -> None:
    """Raises DataError for an image within 0..1, with fractions, among others in 0..255."""
    for start in range(0, len(images), ROWS):
        rows = images[start : start + ROWS]
        rows = rows.reshape(len(rows), -1)
        odd = (rows.max(axis=1) <= 1) & (rows != np.rint(rows)).any(axis=1)
        if odd.any():
            raise DataError(
                f"{name} {first + start + int(np.argmax(odd)):,}: its pixels are in 0..1, and "
                "those of others in 0..255; give all of them on one scale."
            )


def _are_bytes(steps: Array) -> bool:
    # NaN equals nothing, and an overflow is above 255.
    return bool(((steps >= 0) & (steps <= 255) & (steps == np.rint(steps))).all())


def whole(labels: Array, name: str) -> Array:
    """Labels as int64; raises DataError for one that is not a whole number."""
    if labels.dtype.kind == "f":
        wrong = ~(np.isfinite(labels) & (labels == np.rint(labels)) & (np.abs(labels) < 2**53))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{name}, example {row + 1:,}: label {labels[row]:g} is not a whole number; "
                "correct it."
            )
    return labels.astype(np.int64)

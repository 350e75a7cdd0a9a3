"""Conversion of pixels and labels of any layout and number type to a `Part`."""

from __future__ import annotations

import math

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.dataset import Part

NUMBERS = frozenset({f"{kind}{size}" for kind in "ui" for size in (1, 2, 4, 8)} | {"f4", "f8"})
"""NumPy's codes of the number types allowed for pixels and labels in a file; never objects."""
ROWS = 4096
"""Images per pass: 4,096 of them are 12 MB of float32, so copies stay small."""


# A file may hold infinities and signalling NaNs; they are refused, without a warning as well.
@np.errstate(over="ignore", invalid="ignore")
def part(images: Array, labels: Array, name: str) -> Part:
    """Images of any layout and number type as (N, h, w), uint8 or float32 in 0..1.

    Layouts: (N, h, w), (N, h, w, 1), or (N, P), which becomes square if P is a square number, else
    one row of P pixels. Numbers: integers are 0..255; floats are 0..1, or 0..255 if one is above
    1; floats below 1 that are all multiples of 1/256, as in mnist.pkl.gz, become the bytes they
    were made from.
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


def pixels(images: Array, name: str) -> Array:
    """Pixel values as uint8 where they are whole (or v/256), else as float32 in 0..1."""
    if images.dtype == np.uint8:
        return images
    fractions = images.dtype.kind == "f"
    blocks = [images[start : start + ROWS] for start in range(0, len(images), ROWS)]
    scale = _scale(blocks) if fractions else 1
    result = np.empty(images.shape, np.uint8 if scale else np.float32)
    for start, block in zip(range(0, len(images), ROWS), blocks, strict=True):
        # Not (0 <= x <= 1) rather than x < 0 or x > 1: a NaN fails every comparison.
        if (bad := ~((block >= 0) & (block <= (255 if scale == 1 else 1)))).any():
            row = int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))
            raise DataError(
                f"{name}, image {start + row + 1:,}: pixel value {block[row][bad[row]][0]:g}, and "
                "pixels are whole numbers in 0..255 or fractions in 0..1; correct that image."
            )
        result[start : start + ROWS] = block * block.dtype.type(scale or 1)
    return result


def _scale(blocks: list[Array]) -> int:
    """Factor that turns all these floats into bytes: 1 or 256; 0 if neither does."""
    scale = 1 if max(block.max() for block in blocks) > 1 else 256
    return scale if all(_all_bytes(block, scale) for block in blocks) else 0


def _all_bytes(block: Array, scale: int) -> bool:
    # NaN equals nothing, and an overflow is above 255.
    scaled = block * block.dtype.type(scale)
    return bool(((scaled >= 0) & (scaled <= 255) & (scaled == np.rint(scaled))).all())


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

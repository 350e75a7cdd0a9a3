"""Image corruptions: eight kinds, each in five severities.

A network that reads clean test images may fail on one that is slightly off. The idea, and the
formulas of noise and contrast, are those of MNIST-C (Mu and Gilmer 2019). The choice and the
amounts, in the table at the end, are ours: results cannot be compared with those on MNIST-C.

`rng` draws the direction for each image: rotated left or right, thicker or thinner. The same rng
for each severity gives the same directions, so that severities differ only in strength.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.tables import Table
from chainrule.data.augment import ROWS, Distorter, Distortion, blur

SEVERITIES = (1, 2, 3, 4, 5)
SIDE = 28
"""Lengths are in pixels of an image whose shorter side has this many, and scale with it."""

Images: TypeAlias = Float[Array, "N pixels"]
Shape: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Corruption:
    """Corruption of images, with the amount for each severity."""

    spoil: Callable[[Images, Shape, float, np.random.Generator], Images]
    """(images, shape, amount, rng) -> corrupted copies"""
    unit: str
    amounts: tuple[float, ...]
    """Of the severities 1 to 5."""

    def __call__(
        self, images: Images, shape: Shape, severity: int, rng: np.random.Generator
    ) -> Images:
        """Corrupted copies of images (N, h*w), float32 in 0..1; `shape` is (h, w).

        The images after an image do not affect its corruption. Raises ValueError unless the
        severity is 1..5.
        """
        if severity not in SEVERITIES:
            raise ValueError(f"severity {severity}: choose one of {SEVERITIES}")
        return self.spoil(images, shape, self.amounts[severity - 1], rng)

    def span(self) -> str:
        """The amounts of the first and the last severity, such as `1 to 5 pixels`."""
        return f"{self.amounts[0]:g} to {self.amounts[-1]:g} {self.unit}"


def shift(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Shift by `amount` pixels up, down, left or right, or along both axes."""
    neighbours = np.delete(np.indices((3, 3)).reshape(2, 9).T - 1, 4, axis=0)
    away = neighbours[rng.integers(8, size=len(images))] * _pixels(amount, shape)
    return _resampled(images, shape, np.broadcast_to(np.eye(2), (len(images), 2, 2)), away)


def rotation(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Rotation about the centre by `amount` degrees, left or right."""
    angle = np.radians(amount) * _sides(images, rng)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2)
    return _resampled(images, shape, turn, np.zeros((len(images), 2)))


def scale(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Scaling about the centre by `amount` or 1 / `amount`."""
    factor = amount ** _sides(images, rng)
    stretch = np.eye(2) / factor[:, None, None]
    return _resampled(images, shape, stretch, np.zeros((len(images), 2)))


def noise(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Gaussian noise of standard deviation `amount` on each pixel, clipped to 0..1."""
    N, pixels = images.shape
    spoilt: Array = rng.standard_normal((N, pixels), np.float32)
    np.multiply(spoilt, np.float32(amount), out=spoilt)
    np.add(spoilt, images, out=spoilt)
    return np.clip(spoilt, 0, 1, out=spoilt)


def blurred(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Gaussian blur of standard deviation `amount` pixels."""
    down, across = (blur(side, _pixels(amount, shape)) for side in shape)
    return _product(down, images.reshape(-1, *shape), across).reshape(images.shape)


def thickness(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Stroke thickness: `amount` pixels more on each side, or two thirds of it less.

    Dilation and erosion by a disc. Strokes are two to four pixels wide, so the rest of a thin one
    is faint: the image is scaled until its brightest pixel is as bright as before.
    """
    pictures, radius = images.reshape(-1, *shape), _pixels(amount, shape)
    thicker = _sides(images, rng) > 0
    spoilt = np.empty_like(pictures)
    spoilt[thicker] = _extreme(pictures[thicker], radius, np.maximum)
    spoilt[~thicker] = _extreme(pictures[~thicker], radius * 2 / 3, np.minimum)
    spoilt = spoilt.reshape(images.shape)
    brightest = np.maximum(spoilt.max(axis=1), np.float32(1e-3))
    spoilt[~thicker] *= (images.max(axis=1) / brightest)[~thicker, None]
    return np.clip(spoilt, 0, 1, out=spoilt)


def contrast(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Low contrast: each pixel's distance from its image's mean, times `amount`."""
    mean: Array = images.mean(axis=1, keepdims=True)
    spoilt: Array = mean + np.float32(amount) * (images - mean)
    return spoilt


def occlusion(images: Images, shape: Shape, amount: float, rng: np.random.Generator) -> Images:
    """Occlusion by a black square, `amount` pixels a side, centred on a random spot of the ink."""
    ink = images.cumsum(axis=1, dtype=np.float64)
    spot = np.sum(ink < rng.random(len(images))[:, None] * ink[:, -1:], axis=1)
    half = _pixels(amount, shape) / 2
    row, column = (
        np.arange(side) - middle[:, None]
        for side, middle in zip(shape, np.divmod(spot, shape[1]), strict=True)
    )
    rows, columns = ((-half <= d) & (d < half) for d in (row, column))
    covered = (rows[:, :, None] & columns[:, None, :]).reshape(images.shape)
    return np.where(covered, np.float32(0), images)


def _pixels(length: float, shape: Shape) -> float:
    return length * min(shape) / SIDE


def _sides(images: Images, rng: np.random.Generator) -> Float[Array, " N"]:
    """Random signs, 1 or -1 with equal probability for each image."""
    return np.where(rng.random(len(images)) < 0.5, 1.0, -1.0)


def _resampled(
    images: Images, shape: Shape, linear: Float[Array, "N 2 2"], away: Float[Array, "N 2"]
) -> Images:
    """Affine resampling: pixel p is taken from centre + linear (p - centre) - away, as (y, x)."""
    distorter = Distorter(shape, Distortion())
    centre = (np.array(shape) - 1) / 2
    # The distorter's basis is 1, x, y.
    C = np.concatenate([(centre - away)[:, :, None], linear[:, :, ::-1]], axis=2)
    C = C.transpose(1, 0, 2).astype(np.float32)
    spoilt = np.empty_like(images)
    for start in range(0, len(images), ROWS):
        rows = slice(start, start + ROWS)
        distorter.resample(images[rows], C[:, rows], spoilt[rows])
    return spoilt


def _extreme(
    pictures: Float[Array, "n h w"], radius: float, choose: np.ufunc
) -> Float[Array, "n h w"]:
    """Dilation or erosion: the maximum or minimum within `radius` of each pixel; black outside.

    Samples eight directions, at each whole pixel and at `radius`.
    """
    found = pictures.copy()
    for direction in np.arange(8) * np.pi / 4:
        for stop in (*range(1, ceil(radius)), radius):
            down, across = (
                _moving(side, stop * part)
                for side, part in zip(
                    pictures.shape[1:], (np.sin(direction), np.cos(direction)), strict=True
                )
            )
            choose(found, _product(down, pictures, across.T), out=found)
    return found


def _moving(side: int, distance: float) -> Float[Array, "side side"]:
    """Shift of a column of pixels by `distance`, as a matrix; linear between pixels."""
    pixel = np.arange(side)
    matrix: Array = np.maximum(0, 1 - np.abs(np.subtract.outer(pixel, pixel) - distance))
    return matrix


def _product(
    down: Float[Array, "h h"], pictures: Float[Array, "N h w"], across: Float[Array, "w w"]
) -> Float[Array, "N h w"]:
    """Matrix product down @ picture @ across for each picture, in float32."""
    result: Array = down.astype(np.float32) @ (pictures @ across.astype(np.float32))
    return result


CORRUPTIONS = Table(
    "corruption",
    {
        "shift": Corruption(shift, "pixels", (1.0, 2.0, 3.0, 4.0, 5.0)),
        "rotation": Corruption(rotation, "degrees", (8.0, 16.0, 24.0, 32.0, 40.0)),
        "scale": Corruption(scale, "times", (1.1, 1.2, 1.3, 1.4, 1.5)),
        "noise": Corruption(noise, "of white", (0.1, 0.2, 0.3, 0.4, 0.5)),
        "blur": Corruption(blurred, "pixels", (0.6, 1.0, 1.4, 1.8, 2.2)),
        "thickness": Corruption(thickness, "pixels", (0.3, 0.6, 0.9, 1.2, 1.5)),
        "contrast": Corruption(contrast, "times", (0.85, 0.7, 0.55, 0.4, 0.25)),
        "occlusion": Corruption(occlusion, "pixels", (2.0, 4.0, 6.0, 8.0, 10.0)),
    },
)

"""Data augmentation: affine and elastic distortion of images, a whole batch at once.

An elastic distortion (Simard et al. 2003) moves each pixel by a field of blurred random numbers.
With G the symmetric matrix that blurs along one axis, the field of the noise U is G U G'; with G's
eigenvectors q and eigenvalues s it is a sum of few smooth pictures s_i s_j q_i q_j', each times a
random coefficient. The affine part is three more pictures: 1, x and y. So one product gives the
source coordinates of every pixel of every image:

    coordinates = coefficients @ basis        (2 N, r + 3) @ (r + 3, h w)

Derived in docs/derivation.md, section 13.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import exp, sqrt
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float

ROWS = 32
"""Images per pass: all that a pass needs stays in the cache."""

ENERGY = 0.999
"""Fraction of the elastic field's variance that its basis keeps."""


@dataclass(frozen=True)
class Distortion:
    """Largest distortion of an image; each amount is drawn separately for each image."""

    rotation: float = 0.0
    """Degrees, uniform in +-."""
    scaling: float = 0.0
    """Height and width are each divided by 1 +- this, uniform."""
    shear: float = 0.0
    """Degrees by which upright strokes lean, uniform in +-."""
    shift: float = 0.0
    """Pixels along each axis, uniform in +-."""
    elastic: float = 0.0
    """Simard's alpha: the factor of the blurred noise, which is uniform in +-1; pixels."""
    elastic_sigma: float = 5.0
    """The standard deviation of the blur in pixels; outside the image the noise is 0."""

    def __bool__(self) -> bool:
        return any(value for name, value in asdict(self).items() if name != "elastic_sigma")


class Distorter:
    """Distorts images of one shape; has its own buffers, so use one per thread."""

    def __init__(
        self, shape: tuple[int, int], distortion: Distortion, dtype: Any = np.float32
    ) -> None:
        self.shape = height, width = shape
        self.distortion = distortion
        y, x = (axis.ravel() for axis in np.indices(shape, dtype))
        field = np.zeros((0, height * width), dtype)
        if distortion.elastic:
            field = elastic_basis(height, width, distortion.elastic_sigma)
        centre = (height - 1) / 2, (width - 1) / 2
        self.basis = np.concatenate([field, [np.ones_like(x), x - centre[1], y - centre[0]]])
        self.basis = self.basis.astype(dtype)
        pixels = height * width
        # A black border of at least one pixel, to which coordinates outside are clipped.
        self._stride = width + 3
        self._padded = np.zeros((ROWS, height + 3, self._stride), dtype)
        self._start = np.arange(ROWS, dtype=np.intp)[:, None] * self._padded[0].size
        self._coordinates, self._floor = np.empty((2, 2, ROWS, pixels), dtype)
        self._corners = np.empty((3, ROWS, pixels), dtype)
        self._index = np.empty((ROWS, pixels), np.intp)

    def __call__(
        self,
        images: Float[Array, "N pixels"],
        rng: np.random.Generator,
        out: Float[Array, "N pixels"],
    ) -> Float[Array, "N pixels"]:
        """Distorts each image by its own random amounts; writes into `out`."""
        for start in range(0, len(images), ROWS):
            rows = slice(start, start + ROWS)
            self.resample(images[rows], self.coefficients(len(images[rows]), rng), out[rows])
        return out

    def coefficients(self, N: int, rng: np.random.Generator) -> Float[Array, "2 N terms"]:
        """Coefficients of `basis` in the vertical and horizontal coordinate of N images."""
        d, (height, width) = self.distortion, self.shape
        field = len(self.basis) - 3
        C = np.empty((2, N, field + 3), self.basis.dtype)
        if field:
            normal = rng.standard_normal((2, N, field), np.float32)
            np.multiply(normal, d.elastic, out=C[:, :, :field])
        uniform = rng.uniform(-1, 1, (6, N))
        angle, lean = np.radians(d.rotation) * uniform[0], np.radians(d.shear) * uniform[1]
        down, across = 1 + d.scaling * uniform[2], 1 + d.scaling * uniform[3]
        cos, sin = np.cos(angle), np.sin(angle)
        C[0, :, field] = (height - 1) / 2 + d.shift * uniform[4]
        C[1, :, field] = (width - 1) / 2 + d.shift * uniform[5]
        C[0, :, field + 1] = down * sin
        C[0, :, field + 2] = down * cos
        C[1, :, field + 1] = across * (cos + np.tan(lean) * sin)
        C[1, :, field + 2] = across * (np.tan(lean) * cos - sin)
        return C

    def resample(
        self,
        images: Float[Array, "N pixels"],
        coefficients: Float[Array, "2 N terms"],
        out: Float[Array, "N pixels"],
    ) -> None:
        """Bilinear interpolation at `coefficients @ basis`; black outside the image."""
        N, (height, width) = len(images), self.shape
        padded, at, floor = self._padded[:N], self._coordinates[:, :N], self._floor[:, :N]
        padded[:, 1 : height + 1, 1 : width + 1] = images.reshape(N, height, width)
        for axis, side in enumerate(self.shape):
            np.matmul(coefficients[axis], self.basis, out=at[axis])
            np.add(at[axis], 1, out=at[axis])
            np.maximum(at[axis], 0, out=at[axis])
            np.minimum(at[axis], side + 1, out=at[axis])
        np.floor(at, out=floor)
        np.subtract(at, floor, out=at)
        # Within one image, whole numbers below 2 ** 24 are exact in float32.
        np.multiply(floor[0], self._stride, out=floor[0])
        np.add(floor[0], floor[1], out=floor[0])
        index = self._index[:N]
        np.copyto(index, floor[0], casting="unsafe")
        np.add(index, self._start[:N], out=index)
        flat, corners = padded.reshape(-1), (out, *self._corners[:, :N])
        steps = (0, 1, self._stride, self._stride + 1)
        for corner, step in zip(corners, steps, strict=True):
            np.take(flat[step:], index, out=corner, mode="clip")
        top, bottom = corners[:2], corners[2:]
        for left, right in (top, bottom):
            _blend(left, right, at[1])
        _blend(top[0], bottom[0], at[0])


def _blend(start: Array, end: Array, share: Array) -> None:
    """Linear interpolation, start += share * (end - start); overwrites `end`."""
    np.subtract(end, start, out=end)
    np.multiply(end, share, out=end)
    np.add(start, end, out=start)


def elastic_basis(height: int, width: int, sigma: float) -> Float[Array, "r pixels"]:
    """Basis of elastic fields: with standard normal coefficients, its sum has alpha 1.

    As many pictures as hold ENERGY of the variance: 23 at sigma 5 on 28 x 28 pixels. Uniform noise
    has variance 1/3, and a rotation into the basis keeps its first two moments.
    """
    s, Q = np.linalg.eigh(blur(height, sigma))
    t, P = np.linalg.eigh(blur(width, sigma))
    amounts = np.outer(s, t).ravel()
    order = np.argsort(-(amounts**2))
    energy = np.cumsum(amounts[order] ** 2)
    kept = order[: np.searchsorted(energy, ENERGY * energy[-1]) + 1]
    i, j = np.divmod(kept, width)
    pictures = np.einsum("yk,xk->kyx", Q[:, i], P[:, j]).reshape(len(kept), height * width)
    basis: Array = amounts[kept, None] * pictures / sqrt(3)
    return basis


def blur(side: int, sigma: float) -> Float[Array, "side side"]:
    """Gaussian blur of a column of pixels, as a matrix; 0 outside the column."""
    weights = np.array([exp(-((d / sigma) ** 2) / 2) for d in range(side + int(8 * sigma))])
    total = 2 * weights.sum() - weights[0]
    distance = np.abs(np.subtract.outer(np.arange(side), np.arange(side)))
    matrix: Array = weights[distance] / total
    return matrix

"""Ink segmentation: the drawn pixels of a picture, whatever its colours and lighting.

Paper changes slowly across a picture, ink does not. A quadratic surface is fitted to the paper by
robust least squares, in which a pixel counts less the farther it is from the surface (Holland and
Welsch 1977, with Cauchy's weights): ink is far from it, and soon hardly counts. Pixels that stand
out from the noise of the paper are ink. web/static/ink.js does the same, function by function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from chainrule.core.arrays import Array, Float, UInt8
from chainrule.core.errors import DataError
from chainrule.data.readers.images import grey

WORKING_SIDE = 1280
"""Larger pictures are averaged down to this side: a 20-pixel digit on one of 2,560 keeps ten."""
SAMPLES = 64
"""Approximate number of pixels sampled along the longer side to fit the paper and its noise."""
ON_THE_EDGE, ROUNDS = 6, 16
"""The first rounds of the fit use only the edge of the picture, where paper is likely."""
TOLERANCE = 2.0
"""Distance from the paper, in medians, at which a pixel counts half."""
RIDGE = 1e-6
"""Keeps the fit solvable on a picture of a few pixels."""
LEAST_CONTRAST = 0.1
"""Ink that differs from the paper by less than this is paper."""
STANDS_OUT = 5.0
"""Standard deviations of the noise above which a pixel is not paper."""
CORE = 0.8
"""Quantile of the strong pixels that counts as full ink; edges of strokes are below."""
FAINTEST, SOLID = 0.1, 0.35
"""Fractions of the contrast: below the first, no ink; above the second, strokes."""
PLAIN = 0.25
"""Contrast at which the grey picture is enough; below it, the colours may show more."""


class Ink(NamedTuple):
    """Amount of ink of each pixel (h, w), 0..1, mask of the strokes, and contrast to the paper."""

    amount: Float[Array, "h w"]
    solid: Array
    contrast: float


def drawn_on(image: Image.Image | Array, field: int) -> tuple[Ink, tuple[int, int]]:
    """Segments a picture: (ink at the working size, original (height, width)).

    field is the longer side of the network's images. image is a Pillow image of any mode, or an
    array (h, w), (h, w, 3) or (h, w, 4), integers 0..255 or fractions 0..1. If its grey has little
    contrast, red, green and blue are tried.
    Raises DataError for anything else, and if nothing is drawn.
    """
    reason: DataError | None = None
    best: Ink | None = None
    for values in planes(image):
        try:
            found = ink(values, field)
        except DataError as error:
            reason = reason or error
            continue
        if best is None or found.contrast > best.contrast:
            best = found
        if found.contrast >= PLAIN:
            break
    if best is None:
        raise reason or DataError("no digit found: the picture has no pixels.")
    if isinstance(image, Image.Image):
        return best, (image.height, image.width)
    return best, (image.shape[0], image.shape[1])


def planes(image: Image.Image | Array) -> Iterator[Float[Array, "h w"]]:
    """Brightness planes 0..1 at the working size: grey, then red, green and blue."""
    if not isinstance(image, Image.Image):
        array = np.asarray(image)
        if array.dtype.kind not in "uif" or array.size == 0 or array.ndim not in (2, 3):
            raise DataError(
                f"no digit found: an array of shape {array.shape} and type {array.dtype} is no "
                "picture; give (h, w) numbers."
            )
        if array.dtype.kind == "f":
            if not ((array >= 0) & (array <= 1)).all():
                raise DataError("no digit found: fractions must be in 0..1; scale the picture.")
            if array.ndim == 2 and max(array.shape) <= WORKING_SIDE:
                yield array.astype(np.float64)
                return
            array = np.rint(array * 255)
        if array.min() < 0 or array.max() > 255:
            raise DataError("no digit found: whole numbers must be in 0..255; scale the picture.")
        if array.ndim == 3 and array.shape[2] not in (3, 4):
            raise DataError(f"no digit found: {array.shape[2]} colours, and 3 or 4 are read.")
        image = Image.fromarray(array.astype(np.uint8))
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    yield shrunk(grey(image))
    if image.mode == "RGB" and "transparency" not in image.info:
        for colour in range(3):
            yield shrunk(np.asarray(image.getchannel(colour)))


def shrunk(image: UInt8[Array, "h w"]) -> Float[Array, "_h _w"]:
    """Averages down to the working size, in bytes, so that the result is the same everywhere."""
    longer = max(image.shape)
    if longer > WORKING_SIDE:
        height, width = (scaled(side, WORKING_SIDE, longer) for side in image.shape)
        picture = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        image = np.asarray(picture)
    brightness: Array = image / 255
    return brightness


def scaled(side: int, new: int, old: int) -> int:
    """side * new / old, rounded to the nearest integer (halves up), at least 1."""
    return max(1, (2 * side * new + old) // (2 * old))


def ink(values: Float[Array, "h w"], field: int) -> Ink:
    """Segments the ink of a brightness plane, dark on light or light on dark.

    A clean picture of the network's size, its longer side at most `field`, keeps every grey: there
    even the faintest is part of a stroke. Raises DataError if nothing is drawn, or nothing stands
    out from the noise.
    """
    small = max(values.shape) <= field
    edge = values[outline(values.shape)]
    middle = np.median(edge)
    lighter: Array = values - middle
    noise = 0.0
    if quantile(np.abs(edge - middle), 0.5 if small else 0.75):
        # Not a drawing but a photo, whose paper is lit unevenly.
        lighter = values - paper(values)
        noise = 1.4826 * float(np.median(np.abs(lighter[sampled(values.shape)])))
    least = max(LEAST_CONTRAST, STANDS_OUT * noise)
    if -lighter[lighter < -least].sum() > lighter[lighter > least].sum():
        lighter = -lighter
    strong = lighter[lighter > least]
    if not strong.size:
        if np.abs(lighter).max() < LEAST_CONTRAST:
            raise DataError(
                "no digit found: nothing is drawn on it; bring one digit, dark on light."
            )
        raise DataError("no digit found: nothing stands out of the noise; bring a sharper picture.")
    if small and not noise:
        amount = np.clip(lighter, 0, 1)
        return Ink(amount, amount > 0, float(lighter.max()))
    contrast = quantile(strong, CORE)
    amount = np.clip(lighter / contrast, 0, 1)
    amount[lighter < max(FAINTEST * contrast, 0.7 * least if noise else 0)] = 0
    return Ink(amount, lighter > max(SOLID * contrast, 0.7 * least), contrast)


def outline(shape: tuple[int, ...]) -> Array:
    """Mask of the pixels along the edge of a picture of this shape."""
    edge = np.ones(shape, bool)
    edge[1:-1, 1:-1] = False
    return edge


def sampled(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Sampling grid: every n-th pixel and row, about SAMPLES of them along the longer side."""
    step = max(1, max(shape) // SAMPLES)
    h, w = (min(step // 2, side // 2) for side in shape)
    return slice(h, None, step), slice(w, None, step)


def quantile(values: Array, share: float) -> float:
    """Quantile: the value that about this fraction of the values does not exceed."""
    place = min(len(values) - 1, int(share * len(values)))
    return float(np.partition(values, place)[place])


def paper(values: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """Brightness of the paper under the ink: a + bu + cv + du^2 + euv + fv^2."""
    u, v = (
        (2 * np.arange(side) - (side - 1)) / max(side - 1, 1) for side in values.shape
    )  # -1..1 down, -1..1 across
    rows, columns = sampled(values.shape)
    heights = values[rows, columns]
    terms = quadratic(u[rows], v[columns])
    edge = outline(heights.shape).ravel()
    heights = heights.ravel()
    weights = edge.astype(np.float64)
    a = np.zeros(6)
    for number in range(ROUNDS):
        a = fitted(terms, heights, weights)
        distance = np.abs(heights - np.einsum("ni,i->n", terms, a))
        first = number < ON_THE_EDGE
        usual = max(float(np.median(distance[edge] if first else distance)), 1 / 255)
        weights = 1 / (1 + (distance / (TOLERANCE * usual)) ** 2)
        if first:
            weights = weights * edge
    surface: Array = (a[0] + a[1] * u + a[3] * u * u)[:, None] + (a[2] * v + a[5] * v * v)
    surface += a[4] * u[:, None] * v
    return surface


def quadratic(u: Float[Array, " h"], v: Float[Array, " w"]) -> Float[Array, "n 6"]:
    """Terms 1, u, v, u^2, uv, v^2 at each point of the grid, one row per point."""
    down, across = (each.ravel() for each in np.meshgrid(u, v, indexing="ij"))
    ones = np.ones_like(down)
    return np.stack([ones, down, across, down * down, down * across, across * across], axis=1)


def fitted(
    terms: Float[Array, "n m"], heights: Float[Array, " n"], weights: Float[Array, " n"]
) -> Float[Array, " m"]:
    """Weighted least squares by normal equations, with a tiny ridge on all but the first term."""
    # No BLAS: a product this small is not worth waking its threads, 16 times per picture.
    weighted = terms * weights[:, None]
    normal = np.einsum("ni,nj->ij", weighted, terms)  # (m, m)
    ridge = RIDGE * normal[0, 0]
    normal[1:, 1:] += ridge * np.eye(len(normal) - 1)
    return np.linalg.solve(normal, np.einsum("ni,n->i", weighted, heights))

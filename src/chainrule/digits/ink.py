"""Ink told from paper: which pixels of a picture were drawn, whatever its colours and its light.

Paper changes slowly from side to side, ink does not. A quadratic surface is laid through the paper
by least squares, in which a pixel counts the less the farther it is from the surface (Holland and
Welsch 1977, with Cauchy's weights): ink is far from it, and soon counts nothing. What stands out of
the noise of that paper is ink. web/static/preprocess.js does the same, function by function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from chainrule.core.arrays import Array, Float, UInt8
from chainrule.core.errors import DataError
from chainrule.data.readers.images import grey

FIELD = 28
WORKING_SIDE = 1280
"""Larger pictures are averaged down to this: a digit of 20 pixels on one of 2,560 keeps ten."""
SAMPLES = 64
"""About so many pixels along the longer side tell how light the paper is, and how noisy."""
ON_THE_EDGE, ROUNDS = 6, 16
"""The first rounds of the fit look at the edge of the picture alone, where paper is likely."""
TOLERANCE = 2.0
"""Medians of the distance from the paper at which a pixel counts half."""
RIDGE = 1e-6
"""Keeps the fit solvable on a picture of a few pixels."""
LEAST_CONTRAST = 0.1
"""Ink and paper nearer to each other than this are paper."""
STANDS_OUT = 5.0
"""Standard deviations of the noise above which a pixel is no paper."""
CORE = 0.8
"""The quantile of what stands out that is taken for full ink; edges of strokes are below."""
FAINTEST, SOLID = 0.1, 0.35
"""Parts of the contrast: below the first is no ink; strokes are where it is above the second."""
PLAIN = 0.25
"""A contrast with which the grey of a picture is enough; with less its colours may show more."""


class Ink(NamedTuple):
    """How much ink is on each pixel (h, w), 0..1, which make up strokes, and ink less paper."""

    amount: Float[Array, "h w"]
    solid: Array
    contrast: float


def drawn_on(image: Image.Image | Array) -> tuple[Ink, tuple[int, int]]:
    """(ink at the working size, (height, width) of the picture as it was given).

    image is a Pillow image of any mode, or an array (h, w), (h, w, 3) or (h, w, 4), whole numbers
    0..255 or fractions 0..1. Where its grey shows little, red, green and blue are looked at.
    Raises DataError for anything else, and where nothing is drawn.
    """
    reason: DataError | None = None
    best: Ink | None = None
    for values in planes(image):
        try:
            found = ink(values)
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
    """Brightness 0..1 at the working size: of the grey picture, then of red, green and blue."""
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
    """Averaged down to the working size, in bytes, so that the result is the same everywhere."""
    longer = max(image.shape)
    if longer > WORKING_SIDE:
        height, width = (scaled(side, WORKING_SIDE, longer) for side in image.shape)
        picture = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        image = np.asarray(picture)
    brightness: Array = image / 255
    return brightness


def scaled(side: int, new: int, old: int) -> int:
    """side * new / old, to the nearest whole number (half a pixel upwards), at least 1."""
    return max(1, (2 * side * new + old) // (2 * old))


def ink(values: Float[Array, "h w"]) -> Ink:
    """What is drawn on a picture of this brightness, dark on light or light on dark.

    A clean picture of MNIST's size keeps every grey: there the faintest is a part of the stroke.
    Raises DataError where nothing is drawn, or nothing stands out of the noise.
    """
    small = max(values.shape) <= FIELD
    edge = values[outline(values.shape)]
    middle = np.median(edge)
    lighter: Array = values - middle
    noise = 0.0
    if quantile(np.abs(edge - middle), 0.5 if small else 0.75):
        # No drawing but a photo, whose paper is lit from one side.
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
    """True for the pixels along the edge of a picture of this shape."""
    edge = np.ones(shape, bool)
    edge[1:-1, 1:-1] = False
    return edge


def sampled(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Every n-th pixel of every n-th row, so that about SAMPLES are on the longer side."""
    step = max(1, max(shape) // SAMPLES)
    h, w = (min(step // 2, side // 2) for side in shape)
    return slice(h, None, step), slice(w, None, step)


def quantile(values: Array, share: float) -> float:
    """The smallest value that at least this share of the values does not exceed, nearly."""
    place = min(len(values) - 1, int(share * len(values)))
    return float(np.partition(values, place)[place])


def paper(values: Float[Array, "h w"]) -> Float[Array, "h w"]:
    """The brightness of the paper under the ink: a + bu + cv + du^2 + euv + fv^2."""
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
    """1, u, v, u^2, uv, v^2 at each point of the grid, a row for each."""
    down, across = (each.ravel() for each in np.meshgrid(u, v, indexing="ij"))
    ones = np.ones_like(down)
    return np.stack([ones, down, across, down * down, down * across, across * across], axis=1)


def fitted(
    terms: Float[Array, "n m"], heights: Float[Array, " n"], weights: Float[Array, " n"]
) -> Float[Array, " m"]:
    """Weighted least squares by normal equations; a trace of a ridge on all but the first term."""
    # No BLAS: a product this small is not worth waking its threads, 16 times a picture.
    weighted = terms * weights[:, None]
    normal = np.einsum("ni,nj->ij", weighted, terms)  # (m, m)
    ridge = RIDGE * normal[0, 0]
    normal[1:, 1:] += ridge * np.eye(len(normal) - 1)
    return np.linalg.solve(normal, np.einsum("ni,n->i", weighted, heights))

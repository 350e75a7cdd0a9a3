"""Form of training images: polarity and frame, measured on them, and which pictures have it.

Most sets of drawings have a form: one background, ink on one side of it, a box of one size, a
centre. MNIST's digits are light on dark, 20 pixels high or wide, their centre of mass in the
middle. Photographs have none.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.data.batches import draw_rows
from chainrule.digits.ink import LEAST_CONTRAST, outline
from chainrule.nn.preprocessing import CENTRINGS, Preprocessing

COMMON = 0.95
"""Share of the images that must have a background, or a polarity, for it to be the set's."""
CLEAN, EXACT = 0.9, 1 / 512
"""Share of the edge that is exactly background where images have no noise; less than a byte."""
LEAST_SIDE = 4
"""Pixels: smaller images, such as the rows of a table, are no pictures."""
SLACK = 2
"""Pixels, of 28, by which a frame may exceed those of training and still be one like them."""
MEASURED = 10_000
"""Most images measured: those of MNIST would take half a second, these take a tenth."""
ROWS = 2048
"""Images measured at a time."""


class _Frames(NamedTuple):
    """Ink of some images: where it is, how much, and on which side of the background."""

    box: Int[Array, "N 4"]
    """top, left, bottom, right; the last two are the first pixels outside, and 0 without ink."""
    mass: Int[Array, "N 2"]
    """Pixel (row, column) of the centre of mass; a half counts as the next."""
    most: Float[Array, " N"]
    """Brightness farthest from the background, on the side of the ink, minus the background."""


def measure(
    images: Float[Array, "N P"], shape: tuple[int, int], *, white: int = 255
) -> Preprocessing | None:
    """Measures polarity and frame of images (N, h*w) in 0..1; None if they are no pictures.

    Of more than MEASURED, as many are drawn, always the same ones. `white` stands for white in
    their files.
    """
    if min(shape) < LEAST_SIDE or not len(images):
        return None
    if len(images) > MEASURED:
        images = images[draw_rows(len(images), MEASURED)]
    pictures = images.reshape(-1, *shape)
    edge = pictures[:, outline(shape)]
    backgrounds = np.median(edge, axis=1)
    background = float(np.median(backgrounds))
    clean = np.mean(np.abs(edge - background) < EXACT) >= CLEAN
    least = EXACT if clean else LEAST_CONTRAST
    blocks = [pictures[start : start + ROWS] for start in range(0, len(pictures), ROWS)]
    excess = np.concatenate([_excess(block, background, least) for block in blocks])
    sign = 1 if (excess > 0).sum() >= (excess < 0).sum() else -1
    found = [_frames(sign * (block - np.float32(background)), least) for block in blocks]
    frames = _Frames(*(np.concatenate(part) for part in zip(*found, strict=True)))
    drawn = frames.most > least
    usual = (np.abs(backgrounds - background) <= LEAST_CONTRAST) & (sign * excess > 0)
    if not drawn.any() or usual[drawn | (excess != 0)].mean() < COMMON:
        return Preprocessing(
            background=None, ink=0.0, one_polarity=False, blank=True, box=(0, 0, max(shape)),
            centring="box", centre=shape, spread=max(shape), white=white,
        )  # fmt: skip
    ink = min(max(background + sign * float(np.median(frames.most[drawn])), 0.0), 1.0)
    sides = _longer(frames.box)[drawn]
    centring, centre, spread = _centring(frames, drawn)
    return Preprocessing(
        background=background,
        ink=ink,
        one_polarity=not _opposite(backgrounds, background, ink).any(),
        blank=not drawn.all(),
        box=(int(sides.min()), int(np.median(sides)), int(sides.max())),
        centring=centring,
        centre=centre,
        spread=spread,
        white=white,
    )


def departure(image: Float[Array, "h w"], form: Preprocessing) -> str:
    """What keeps an image of the training images' size from having their form; empty if nothing.

    "inverted": its background is their ink's colour, which none of theirs has. "blank": no ink,
    which all of theirs have. "framed otherwise": its box or centre is farther from theirs than any
    of theirs. Images without a common background have no form, and every image has it.
    """
    if form.background is None:
        return ""
    edge = np.median(image[outline(image.shape)], keepdims=True)
    if form.one_polarity and _opposite(edge, form.background, form.ink).all():
        return "inverted"
    sign = 1 if form.light_on_dark else -1
    contrast = abs(form.ink - form.background)
    amount = sign * (image[None] - np.float32(form.background))
    frames = _frames(amount, EXACT if contrast < LEAST_CONTRAST else LEAST_CONTRAST)
    if frames.most[0] < min(LEAST_CONTRAST, contrast / 2):
        return "" if form.blank else "blank"
    slack = max(SLACK, SLACK * max(image.shape) // 28)
    side = int(_longer(frames.box)[0])
    aside = int(np.abs(_aside(frames, form.centring, form.centre)).max())
    low, _, high = form.box
    fits = low - slack <= side <= high + slack and aside <= form.spread + slack
    return "" if fits else "framed otherwise"


def in_words(form: Preprocessing, shape: tuple[int, int]) -> str:
    """The form as a line for people."""
    size = f"images of {shape[1]} x {shape[0]}"
    if form.background is None:
        return f"{size} without a common background; pictures are scaled whole"
    low, _, high = form.box
    side = f"{low} to {high}" if low < high else str(high)
    middle = "centre of mass" if form.centring == "mass" else "box"
    place = f"centred by its {middle}"
    if form.spread:
        place += f" to {form.spread} pixel{'s' * (form.spread > 1)}"
    return (
        f"{size}, {'light on dark' if form.light_on_dark else 'dark on light'} "
        f"({form.ink:.2g} on {form.background:.2g}), {side} pixels of ink, {place}"
    )


def _opposite(edge: Array, background: float, ink: float) -> Array:
    """True where an edge is nearer to the ink than to the background."""
    nearer: Array = np.abs(edge - ink) < np.abs(edge - background)
    return nearer


def _excess(images: Float[Array, "N h w"], background: float, least: float) -> Float[Array, " N"]:
    """Ink brighter than the background minus ink darker, for each image."""
    lighter = images - np.float32(background)
    lighter[np.abs(lighter) <= least] = 0
    total: Array = lighter.sum(axis=(1, 2))
    return total


def _frames(amount: Float[Array, "N h w"], least: float) -> _Frames:
    """Frames of images whose ink is above `least`."""
    ink = amount > least
    rows, columns = np.any(ink, axis=2), np.any(ink, axis=1)
    drawn = np.any(rows, axis=1)
    ends: list[Array] = []
    for line in (rows, columns):
        ends.append(line.argmax(axis=1) * drawn)
        ends.append((line.shape[1] - line[:, ::-1].argmax(axis=1)) * drawn)
    top, bottom, left, right = ends
    mass = np.where(ink, amount, 0)
    total = np.maximum(mass.sum(axis=(1, 2), dtype=np.float64), 1e-9)
    middles = [
        mass.sum(axis=3 - axis, dtype=np.float64) @ np.arange(amount.shape[axis]) / total
        for axis in (1, 2)
    ]
    # 1e-9: a middle of exactly 13.5 must round up, whatever the last bit of the sum.
    pixels = np.floor(np.stack(middles, axis=1) + 0.5 + 1e-9).astype(np.int64)
    return _Frames(np.stack([top, left, bottom, right], axis=1), pixels, amount.max(axis=(1, 2)))


def _longer(box: Int[Array, "N 4"]) -> Int[Array, " N"]:
    sides: Array = (box[:, 2:] - box[:, :2]).max(axis=1)
    return sides


def _aside(frames: _Frames, centring: str, centre: tuple[int, int]) -> Int[Array, "N 2"]:
    """Pixels by which each image's ink is beside the place that `centred` would give it."""
    if centring == "mass":
        aside: Array = frames.mass - centre
        return aside
    sides = frames.box[:, 2:] - frames.box[:, :2]
    place: Array = frames.box[:, :2] - (np.array(centre) - sides) // 2
    return place


def _centring(frames: _Frames, drawn: Array) -> tuple[str, tuple[int, int], int]:
    """(centring, usual centre, spread): those with which most images are in their place."""
    inked = _Frames(*(part[drawn] for part in frames))
    found = {}
    for centring in CENTRINGS:
        usual = inked.mass if centring == "mass" else inked.box[:, :2] + inked.box[:, 2:]
        row, column = np.median(usual, axis=0).astype(int).tolist()
        for centre in ((row + down, column + right) for down in (0, 1) for right in (0, 1)):
            apart = np.abs(_aside(inked, centring, centre)).max(axis=1)
            found[centring, centre] = float(np.mean(apart == 0)), int(apart.max())
    best = max(found, key=lambda one: found[one][0])
    return *best, found[best][1]

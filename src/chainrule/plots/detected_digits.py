"""Detections: a photo with a box around each digit, beside it the network's input and output."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainrule.core.arrays import Array, Float, UInt8
from chainrule.plots.examples import pencil
from chainrule.plots.style import (
    BLUE,
    DPI,
    GREY,
    INK,
    PALE,
    PICTURE,
    VERMILION,
    amount,
    drawable,
    page,
    place,
    styled,
    whole_dots,
)

PHOTO_WIDTH, PHOTO_HEIGHT = 5.6, 5.2
"""Inches: the area into which the photo is fitted."""
GAP = 0.35
FEW, SOME = 2, 12
"""Most digits drawn large, and most drawn medium-sized."""
TEXT = 0.5
"""Inches under each digit for its label and its confidence."""


@styled()
def detections(
    picture: UInt8[Array, "height width *colours"],
    boxes: Sequence[tuple[int, int, int, int]],
    *,
    pixels: Float[Array, "n h w"],
    labels: Sequence[str],
    confidence: Sequence[float],
    sure: float,
    name: str = "",
    what: str = "digit",
) -> Figure:
    """Detections on a picture (height, width) or (height, width, 3): n digits, each as it was read.

    boxes: (row, column, height, width) in pixels of the picture; `pixels`: the network's inputs,
    their background drawn light; confidence: 0..1, below `sure` the digit is marked; `what` they
    are called. Raises ValueError when the arguments do not match.
    """
    if not len(boxes) == len(pixels) == len(labels) == len(confidence) or not len(boxes):
        raise ValueError(
            f"{len(boxes)} boxes, {len(pixels)} pictures, {len(labels)} labels and "
            f"{len(confidence)} confidences: give one of each for every digit, and at least one"
        )
    n = len(boxes)
    names = drawable(labels)
    tall, wide = picture.shape[:2]
    scale = min(PHOTO_WIDTH / wide, PHOTO_HEIGHT / tall)
    photo = (max(wide * scale, 0.6), max(tall * scale, 0.6))

    dots = PICTURE if n <= FEW else PICTURE // 2 if n <= SOME else PICTURE // 3
    zoom = whole_dots(dots / max(pixels.shape[1:]))
    h, w = (side * zoom / DPI for side in pixels.shape[1:])
    down, across = h + TEXT + 0.12, max(w, 0.62) + 0.18
    rows = min(n, max(1, int((photo[1] + 0.3) / down)))
    rows = max(rows, math.ceil(n / 12))
    columns = math.ceil(n / rows)
    rows = math.ceil(n / columns)
    width = photo[0] + GAP + columns * across
    height = max(photo[1], rows * down - 0.12)

    unsure = sum(share < sure for share in confidence)
    remark = f"{amount(unsure, what)} below {100 * sure:.0f} %, marked in red. " if unsure else ""
    figure = page(
        f"{name}: {amount(n, what)}" if name else amount(n, what),
        f"{remark}Right: what the network saw, and how sure it is.",
        width=width,
        height=height,
    )
    axes = place(figure, 0.0, height - photo[1], *photo)
    _photo(axes, picture, boxes, names, [share < sure for share in confidence], scale)
    for number in range(n):
        row, column = divmod(number, columns)
        left = photo[0] + GAP + column * across
        tile = place(figure, left, height - row * down - h, w, h)
        _tile(tile, pixels[number], names[number], confidence[number], confidence[number] < sure)
    return figure


def _photo(
    axes: Axes,
    picture: Array,
    boxes: Sequence[tuple[int, int, int, int]],
    names: Sequence[str],
    marked: Sequence[bool],
    scale: float,
) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="antialiased")
    _frame(axes)
    margin = 0.03 / scale  # pixels
    for (row, column, height, width), label, mark in zip(boxes, names, marked, strict=True):
        color = VERMILION if mark else BLUE
        corner = (column - 0.5 - margin, row - 0.5 - margin)
        size = (width + 2 * margin, height + 2 * margin)
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor="white", linewidth=2.6))
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=1.4))
        above = corner[1] * scale > 0.25
        axes.text(
            corner[0] + size[0] / 2,
            corner[1] - 0.04 / scale if above else corner[1] + size[1] + 0.04 / scale,
            label,
            ha="center",
            va="bottom" if above else "top",
            size=9.5,
            weight="bold",
            color="white",
            bbox={"boxstyle": "round,pad=0.18", "facecolor": color, "edgecolor": "none"},
        )


def _tile(axes: Axes, pixels: Array, name: str, confidence: float, mark: bool) -> None:
    cmap = pencil(pixels.reshape(1, -1), (pixels.shape[0], pixels.shape[1]))
    axes.imshow(pixels, cmap=cmap, vmin=0, vmax=max(float(pixels.max()), 1e-9), aspect="auto")
    _frame(axes)
    line = DPI * pixels.shape[0] / axes.bbox.height  # pixels in an inch
    bottom = pixels.shape[0] - 0.5
    color = VERMILION if mark else INK
    axes.text(-0.5, bottom + 0.06 * line, name, va="top", size=11, weight="bold", color=color)
    share = f"{100 * confidence:.1f} %"
    axes.text(-0.5, bottom + 0.28 * line, share, va="top", color=VERMILION if mark else GREY)


def _frame(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(PALE)

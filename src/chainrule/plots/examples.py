"""Galleries of single examples with their predictions: the worst mistakes, and nine of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainrule.core.arrays import Array, Float, Int
from chainrule.data.batches import spread
from chainrule.plots.style import (
    DPI,
    GREY,
    PICTURE,
    VERMILION,
    amount,
    drawable,
    mosaic,
    page,
    place,
    styled,
    whole_dots,
    widest,
)

PENCIL = LinearSegmentedColormap.from_list("pencil", ["#F1F3F5", "#14181C"])
FEW = 50
"""Most mistakes drawn five in a row; larger numbers are drawn ten in a row."""
SAMPLES = 9
GAP = 0.2
"""Inches between two examples."""
BRIGHT = 0.75
"""Fraction of the range above which a background is light."""


def pencil(images: Float[Array, "n pixels"], shape: tuple[int, int]) -> Colormap:
    """Colour map of images (n, h*w) in which their background is light, be it 0 or 1."""
    pictures = images.reshape(-1, *shape)
    edges = (pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1])
    edge = np.nanmedian(np.concatenate([each.ravel() for each in edges]))
    low, high = np.nanmin(pictures), np.nanmax(pictures)
    return PENCIL.reversed() if edge > low + BRIGHT * (high - low) else PENCIL


@styled()
def mistakes(
    images: Float[Array, "N pixels"],
    labels: Int[Array, " N"],
    *,
    predicted: Int[Array, " N"],
    confidence: Float[Array, " N"],
    shape: tuple[int, int],
    classes: Sequence[str],
    count: int = 25,
) -> Figure:
    """Gallery of the `count` worst mistakes, most confident first.

    Takes all N examples, the right ones too. `images` (N, h*w), their background drawn light and
    their ink dark; `confidence`: probability of the predicted class, 0..1; `shape` (h, w). Raises
    ValueError when the arguments do not match.
    """
    _check(images, labels, predicted, shape=shape, classes=classes)
    if count < 1 or confidence.shape != labels.shape:
        raise ValueError(
            f"{count} mistakes of {amount(len(labels), 'label')} with "
            f"{len(confidence)} confidences cannot be drawn: "
            "ask for one or more, and give one confidence for each label"
        )
    names = drawable(classes)
    wrong = np.flatnonzero(predicted != labels)
    if not wrong.size:
        return page(f"No mistakes: {len(labels):,} of {len(labels):,} right")
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    part = f"{len(shown):,} of " if len(shown) < wrong.size else ""
    order = ", most confident first" if len(shown) > 1 else ""
    share = f"{wrong.size:,} of {len(labels):,} wrong ({100 * wrong.size / len(labels):.2f} %)"
    return _gallery(
        f"{part}{amount(wrong.size, 'mistake')}{order}",
        f"{share}. In %: confidence in the prediction.",
        images[shown],
        shape=shape,
        columns=5 if len(shown) <= FEW else 10,
        first=[f"actual {names[labels[i]]}" for i in shown],
        second=[f"predicted {names[predicted[i]]}, {100 * confidence[i]:.1f} %" for i in shown],
        marked=[],
    )


@styled()
def samples(
    images: Float[Array, "N pixels"],
    labels: Int[Array, " N"],
    *,
    predicted: Int[Array, " N"],
    shape: tuple[int, int],
    classes: Sequence[str],
) -> Figure:
    """Gallery of nine examples from all over a set, with actual and predicted class; wrong framed.

    `images` (N, h*w), their background drawn light and their ink dark; `shape` (h, w). Raises
    ValueError when the arguments do not match, or when there is no example.
    """
    _check(images, labels, predicted, shape=shape, classes=classes)
    if not len(labels):
        raise ValueError("no example to draw: give at least one")
    names, there = drawable(classes), len(labels)
    few = spread(there, SAMPLES)
    images, labels, predicted = images[few], labels[few], predicted[few]
    wrong = np.flatnonzero(predicted != labels)
    return _gallery(
        f"{f'{len(labels)} of ' if len(labels) < there else ''}{amount(there, 'example')}: "
        f"{len(labels) - wrong.size} right, {wrong.size} wrong",
        "Wrong ones are framed." if wrong.size else "",
        images,
        shape=shape,
        columns=3,
        first=[f"actual {names[k]}" for k in labels],
        second=[f"predicted {names[k]}" for k in predicted],
        marked=wrong.tolist(),
    )


def _check(
    images: Float[Array, "N pixels"],
    labels: Int[Array, " N"],
    predicted: Int[Array, " N"],
    *,
    shape: tuple[int, int],
    classes: Sequence[str],
) -> None:
    h, w = shape
    if images.shape != (len(labels), h * w) or predicted.shape != labels.shape:
        raise ValueError(
            f"images of shape {images.shape}, {amount(len(labels), 'label')} and "
            f"{amount(len(predicted), 'prediction')} do not fit pictures of {h} x {w} pixels: "
            f"give {h * w} columns, and one row, label and prediction for each picture"
        )
    for k in sorted({*labels.tolist(), *predicted.tolist()}):
        if not 0 <= k < len(classes):
            raise ValueError(
                f"class {k} has no name among {amount(len(classes), 'name')}: "
                "count classes from 0 and name each of them"
            )


def _gallery(
    title: str,
    subtitle: str,
    images: Float[Array, "n pixels"],
    *,
    shape: tuple[int, int],
    columns: int,
    first: Sequence[str],
    second: Sequence[str],
    marked: Sequence[int],
) -> Figure:
    """Grid of pictures with two lines of text under each, and a frame around the marked ones."""
    h, w = shape
    scale = whole_dots(PICTURE / max(shape))
    text = widest([*first, *second]) * DPI / scale  # pixels
    down = round(h + 0.55 * DPI / scale)
    across = round(max(w, text) + GAP * DPI / scale)
    columns = min(columns, len(images))
    sheet = mosaic(images, shape=shape, columns=columns, pitch=(down, across))
    height, width = sheet.shape[0] * scale / DPI, sheet.shape[1] * scale / DPI
    figure = page(title, subtitle, width=width - GAP, height=height - 0.15)
    axes = place(figure, 0.0, -0.15, width, height)
    axes.set_axis_off()
    low = np.nanmin(sheet)
    high = max(np.nanmax(sheet), low + 1e-9)
    axes.imshow(sheet, cmap=pencil(images, shape), vmin=low, vmax=high, aspect="auto")
    for i in range(len(images)):
        row, column = divmod(i, columns)
        x, y = column * across - 0.5, row * down - 0.5
        line = 0.16 * DPI / scale
        color = VERMILION if i in marked else GREY
        axes.text(x, y + h + 0.3 * line, first[i], va="top")
        axes.text(x, y + h + 1.3 * line, second[i], va="top", color=color)
        if i in marked:
            frame = Rectangle((x, y), w, h, fill=False, edgecolor=VERMILION, linewidth=2.5)
            axes.add_patch(frame).set_clip_on(False)
    return figure

"""What a network gets right and wrong: by class, by the worst mistakes, and in nine examples."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainrule.arrays import Array, Float, Int
from chainrule.plots.paper import (
    BLUE,
    CHARACTER,
    DPI,
    GREY,
    INK,
    PAPER,
    STYLE,
    VERMILION,
    amount,
    dots_per_pixel,
    drawable,
    mosaic,
    page,
    place,
)

PENCIL = LinearSegmentedColormap.from_list("pencil", ["#F1F3F5", "#14181C"])
RIGHT = LinearSegmentedColormap.from_list("right", ["#F4F6F8", "#66AAD1", BLUE, "#00507D"])
WRONG = LinearSegmentedColormap.from_list("wrong", ["#F4F6F8", "#F0B184", VERMILION, "#9A4400"])


@matplotlib.rc_context(STYLE)
def confusion(matrix: Int[Array, "K K"], classes: Sequence[str]) -> Figure:
    """How often each class (row) was taken for each class (column): a count in each cell.

    The colour is the share of the row on a cube-root scale, so that 3 mistakes in 1,000 show: blue
    is right, vermilion wrong. A zero is left blank. Raises ValueError when the matrix is not K x K
    for K class names.
    """
    K = len(classes)
    if K == 0 or matrix.shape != (K, K):
        raise ValueError(
            f"a confusion matrix of shape {matrix.shape} does not fit {amount(K, 'class name')}: "
            "give one row, one column and one name for each class"
        )
    names = drawable(classes)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    label = CHARACTER * max(map(len, names))
    cell = min(1.1, max(5.6 / K, 0.24))
    slanted = label > cell
    left, side = label + 0.35, K * cell
    bottom = (0.72 * label if slanted else 0.1) + 0.35
    figure = page(
        f"{right:,} of {total:,} right ({100 * right / max(total, 1):.2f} %)",
        _in_words(matrix, names),
        width=left + side + 1.0,
        height=bottom + side,
    )

    axes = place(figure, left, bottom, side, side)
    depth = np.cbrt(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))  # (K, K)
    axes.imshow(np.where(np.eye(K, dtype=bool)[..., None], RIGHT(depth), WRONG(depth)))
    size = min(10, 105 * cell / max(3, len(str(matrix.max()))))
    for row, column in np.argwhere(matrix):
        text, color = str(matrix[row, column]), PAPER if depth[row, column] > 0.6 else INK
        axes.text(column, row, text, size=size, color=color, ha="center", va="center_baseline")
    axes.set_xticks(range(K), names)
    axes.set_yticks(range(K), names)
    if slanted:
        for tick in axes.get_xticklabels():
            tick.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.set_xticks(np.arange(1, K) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, K) - 0.5, minor=True)
    axes.grid(which="minor", color=PAPER, linewidth=min(1.5, 3 * cell))
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")

    key_height = min(side - 0.5, 2.4)
    key = place(figure, left + side + 0.3, bottom + side - 0.5 - key_height, 0.3, key_height)
    steps = np.linspace(0, 1, 256)
    key.imshow(np.stack([RIGHT(steps), WRONG(steps)], axis=1), origin="lower", aspect="auto")
    key.yaxis.tick_right()
    key.set_yticks(255 * np.cbrt([0.001, 0.01, 0.1, 1]), ["0.1 %", "1 %", "10 %", "100 %"])
    key.set_xticks([0, 1], ["right", "wrong"], rotation=90)
    key.tick_params(length=0)
    key.set_title("share\nof row", fontsize=8.5, color=GREY, loc="left")
    for panel in (axes, key):
        panel.spines[:].set_visible(False)
    return figure


@matplotlib.rc_context(STYLE)
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
    """The `count` worst mistakes: those that the network was most confident of, first.

    All N examples go in, the right ones too. `images` (N, h*w), the smallest value drawn light and
    the largest dark; `confidence`: the probability of the predicted class, a fraction of 1; `shape`
    (h, w). Raises ValueError when the arguments do not fit each other.
    """
    _check(images, labels, predicted, shape=shape, classes=classes)
    names = drawable(classes)
    wrong = np.flatnonzero(predicted != labels)
    if not wrong.size:
        return page(f"No mistakes: {len(labels):,} of {len(labels):,} right", width=0, height=0)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][: max(count, 1)]
    return _gallery(
        f"{len(shown)} of {amount(wrong.size, 'mistake')}, most confident first",
        f"{wrong.size:,} of {len(labels):,} wrong ({100 * wrong.size / len(labels):.2f} %). "
        "Below each: how sure the network was.",
        images[shown],
        shape=shape,
        columns=5,
        first=[f"actual {names[labels[i]]}" for i in shown],
        second=[f"predicted {names[predicted[i]]}, {100 * confidence[i]:.1f} %" for i in shown],
        marked=[],
    )


@matplotlib.rc_context(STYLE)
def samples(
    images: Float[Array, "N pixels"],
    labels: Int[Array, " N"],
    *,
    predicted: Int[Array, " N"],
    shape: tuple[int, int],
    classes: Sequence[str],
) -> Figure:
    """The first nine examples, three by three, with actual and predicted class; wrong ones framed.

    `images` (N, h*w), the smallest value drawn light and the largest dark; `shape` (h, w). Raises
    ValueError when the arguments do not fit each other, or when there is no example.
    """
    _check(images, labels, predicted, shape=shape, classes=classes)
    if not len(labels):
        raise ValueError("no example to draw: give at least one")
    names = drawable(classes)
    images, labels, predicted = images[:9], labels[:9], predicted[:9]
    wrong = np.flatnonzero(predicted != labels)
    return _gallery(
        f"{amount(len(labels), 'example')}: {len(labels) - wrong.size} right, {wrong.size} wrong",
        "Wrong ones are framed." if wrong.size else "",
        images,
        shape=shape,
        columns=3,
        first=[f"actual {names[k]}" for k in labels],
        second=[f"predicted {names[k]}" for k in predicted],
        marked=wrong.tolist(),
    )


def _in_words(matrix: Int[Array, "K K"], names: Sequence[str]) -> str:
    """The most frequent mistake, and the classes that were never predicted."""
    errors = matrix - np.diag(np.diag(matrix))
    text = "No mistakes."
    if errors.any():
        actual, predicted = np.unravel_index(np.argmax(errors), errors.shape)
        times = amount(int(errors[actual, predicted]), "time")
        text = f"Most frequent mistake: {names[actual]} taken for {names[predicted]}, {times}."
    never = [name for name, seen in zip(names, matrix.any(axis=0), strict=True) if not seen]
    return text + (f" Never predicted: {', '.join(never)}." if never else "")


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
    for k in (*labels, *predicted):
        if not 0 <= k < len(classes):
            raise ValueError(
                f"class {k} has no name: give a name for each class, "
                f"or classes from 0 to {len(classes) - 1}"
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
    """Pictures in a grid with two lines of text under each, and a frame around the marked ones."""
    h, w = shape
    scale = dots_per_pixel(shape)
    text = CHARACTER * max(map(len, [*first, *second]))  # inches
    down = h + round(0.55 * DPI / scale)
    across = round(max(w + 0.2 * DPI / scale, (text + 0.1) * DPI / scale))
    columns = min(columns, len(images))
    sheet = mosaic(images, shape=shape, columns=columns, pitch=(down, across))
    height, width = sheet.shape[0] * scale / DPI, sheet.shape[1] * scale / DPI
    figure = page(title, subtitle, width=width, height=height)
    axes = place(figure, 0, 0, width, height)
    axes.set_axis_off()
    low = np.nanmin(sheet)
    axes.imshow(sheet, cmap=PENCIL, vmin=low, vmax=max(np.nanmax(sheet), low + 1e-9), aspect="auto")
    for i in range(len(images)):
        row, column = divmod(i, columns)
        x, y = column * across + (across - w) // 2 - 0.5, row * down - 0.5
        line = 0.16 * DPI / scale
        color = VERMILION if i in marked else GREY
        axes.text(x, y + h + 0.3 * line, first[i], va="top")
        axes.text(x, y + h + 1.3 * line, second[i], va="top", color=color)
        if i in marked:
            frame = Rectangle((x, y), w, h, fill=False, edgecolor=VERMILION, linewidth=2.5)
            axes.add_patch(frame).set_clip_on(False)
    return figure

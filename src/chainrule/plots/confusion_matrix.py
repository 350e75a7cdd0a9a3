"""Confusion matrix as a picture: which classes a network mistakes for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from chainrule.core.arrays import Array, Int
from chainrule.plots.style import (
    BLUE,
    GREY,
    INK,
    PAPER,
    VERMILION,
    amount,
    drawable,
    page,
    place,
    styled,
    widest,
)

RIGHT = LinearSegmentedColormap.from_list("right", ["#F4F6F8", "#66AAD1", BLUE, "#00507D"])
WRONG = LinearSegmentedColormap.from_list(
    "wrong",
    [(0, "#F4F6F8"), (0.05, "#FCE9DB"), (0.33, "#F2B58A"), (0.75, VERMILION), (1, "#9A4400")],
)


@styled()
def confusion(matrix: Int[Array, "K K"], classes: Sequence[str]) -> Figure:
    """Confusion matrix: counts of each actual class (row) predicted as each class (column).

    The colour is the fraction of the row on a cube-root scale, so that 3 mistakes in 1,000 show:
    blue is right, vermilion wrong. Zeros are left blank; above 60 classes so are all counts and
    names. Raises ValueError when the matrix is not K x K for K class names.
    """
    K = len(classes)
    if K == 0 or matrix.shape != (K, K):
        raise ValueError(
            f"a confusion matrix of shape {matrix.shape} does not fit {amount(K, 'class name')}: "
            "give one row, one column and one name for each class"
        )
    names = drawable(classes)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    readable = K <= 60
    ticks = names if readable else [""] * K
    label = widest(ticks) + 0.05
    cell = min(1.1, max(5.6 / K, 0.24)) if readable else 14.4 / K
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
    colours = np.where(np.eye(K, dtype=bool)[..., None], RIGHT(depth), WRONG(depth))
    axes.imshow(colours)
    brightness = colours[..., :3] @ [0.2126, 0.7152, 0.0722]
    size = min(10, 90 * cell / max(3, len(str(matrix.max()))))
    for row, column in np.argwhere(matrix) if readable else ():
        text, color = str(matrix[row, column]), INK if brightness[row, column] > 0.46 else PAPER
        axes.text(column, row, text, size=size, color=color, ha="center", va="center_baseline")
    axes.set_xticks(range(K), ticks)
    axes.set_yticks(range(K), ticks)
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
    key.imshow(
        np.stack([RIGHT(steps), WRONG(steps)], axis=1),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    key.yaxis.tick_right()
    key.set_yticks(255 * np.cbrt([0.001, 0.01, 0.1, 1]), ["0.1 %", "1 %", "10 %", "100 %"])
    key.set_xticks([0, 1], ["right", "wrong"], rotation=90)
    key.tick_params(length=0)
    key.set_title("share\nof row", fontsize=8.5, color=GREY, loc="left")
    for panel in (axes, key):
        panel.spines[:].set_visible(False)
    return figure


def _in_words(matrix: Int[Array, "K K"], names: Sequence[str]) -> str:
    """Subtitle: the most frequent mistake, and classes without predictions or examples."""
    errors = matrix - np.diag(np.diag(matrix))
    text = "No mistakes."
    if errors.any():
        actual, predicted = divmod(int(errors.argmax()), len(names))
        times = amount(int(errors[actual, predicted]), "time")
        text = f"Most frequent mistake: {names[actual]} taken for {names[predicted]}, {times}."
    for what, count in (
        ("Never predicted", matrix.sum(axis=0)),
        ("No example", matrix.sum(axis=1)),
    ):
        without = [name for name, number in zip(names, count, strict=True) if not number]
        many = f"{len(without)} of {len(names)} classes"
        if without:
            text += f" {what}: {', '.join(without) if len(without) <= 10 else many}."
    return text

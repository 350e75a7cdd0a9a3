"""First-layer weights: each unit's as a picture."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from chainrule.core.arrays import Array, Float
from chainrule.plots.style import (
    BLUE,
    DPI,
    PICTURE,
    VERMILION,
    amount,
    mosaic,
    page,
    place,
    styled,
    whole_dots,
)

SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#7A3300", VERMILION, "#F7F7F7", BLUE, "#003A5C"]
)


@styled()
def first_layer(
    W: Float[Array, "pixels units"], *, shape: tuple[int, int], count: int = 64
) -> Figure:
    """Weights of the first `count` units of the first layer, each as a picture.

    `W` (h*w, units), `shape` (h, w). One symmetric scale for all, which covers 199 of 200 weights,
    so that a few large ones do not wash out the rest. Raises ValueError when W has not h*w rows or
    holds a value that is not finite, or `count` is below 1.
    """
    h, w = shape
    if W.shape[0] != h * w or min(W.shape[1], count) < 1 or not np.isfinite(W).all():
        raise ValueError(
            f"weights of shape {W.shape} do not make {count} pictures of {h} x {w} pixels: "
            f"give finite weights with {h * w} rows, a column for each unit, and a count above 0"
        )
    shown = W[:, :count].T  # (n, h*w)
    columns = int(np.ceil(np.sqrt(len(shown))))
    scale = whole_dots(min(PICTURE / max(shape), 800 / (columns * (w + 2))))
    sheet = mosaic(shown, shape=shape, columns=columns, pitch=(h + 2, w + 2))
    height, width = sheet.shape[0] * scale / DPI, sheet.shape[1] * scale / DPI
    figure = page(
        f"First layer: {len(shown):,} of {amount(W.shape[1], 'unit')}",
        "Ink on blue excites the unit, ink on orange inhibits it.",
        width=width + 0.95,
        height=height,
    )
    limit = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    axes = place(figure, 0.0, 0.0, width, height)
    axes.set_axis_off()
    image = axes.imshow(sheet, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto")
    key_height = min(height, 2.4)
    key = place(figure, width + 0.2, height - key_height, 0.15, key_height)
    bar = figure.colorbar(image, cax=key, extend="both", label="weight")
    bar.outline.set_visible(False)
    key.tick_params(length=0)
    return figure

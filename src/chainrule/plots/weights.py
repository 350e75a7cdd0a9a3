"""What the first layer looks for: the weights of each of its units as a picture."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from chainrule.arrays import Array, Float
from chainrule.plots.paper import (
    BLUE,
    DPI,
    STYLE,
    VERMILION,
    amount,
    dots_per_pixel,
    mosaic,
    page,
    place,
)

SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#003A5C", BLUE, "#F7F7F7", VERMILION, "#7A3300"]
)


@matplotlib.rc_context(STYLE)
def first_layer(
    W: Float[Array, "pixels units"], *, shape: tuple[int, int], count: int = 64
) -> Figure:
    """The first `count` units of the first layer, each as a picture of its weights.

    `W` (h*w, units), `shape` (h, w). One scale for all, the same on both sides of 0; it ends where
    199 of 200 weights are inside, so that a few large ones do not pale the rest. Raises ValueError
    when W has not h*w rows, or holds a value that is not finite.
    """
    h, w = shape
    if W.shape[0] != h * w or W.shape[1] == 0 or not np.isfinite(W).all():
        raise ValueError(
            f"weights of shape {W.shape} cannot be drawn as pictures of {h} x {w} pixels: "
            f"give finite weights with {h * w} rows and a column for each unit"
        )
    shown = W[:, : max(count, 1)].T  # (n, h*w)
    columns = int(np.ceil(np.sqrt(len(shown))))
    scale = min(dots_per_pixel(shape), max(1, 780 // (columns * (w + 2))))
    sheet = mosaic(shown, shape=shape, columns=columns, pitch=(h + 2, w + 2))
    height, width = sheet.shape[0] * scale / DPI, sheet.shape[1] * scale / DPI
    figure = page(
        f"First layer: {len(shown):,} of {amount(W.shape[1], 'unit')}",
        "Ink on an orange pixel excites the unit, ink on a blue one inhibits it.",
        width=width + 0.95,
        height=height,
    )
    limit = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    axes = place(figure, 0, 0, width, height)
    axes.set_axis_off()
    image = axes.imshow(sheet, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto")
    key_height = min(height, 2.4)
    key = place(figure, width + 0.2, height - key_height, 0.15, key_height)
    bar = figure.colorbar(image, cax=key, extend="both", label="weight")
    bar.outline.set_visible(False)
    return figure

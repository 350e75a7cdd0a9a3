"""Image grids side by side: originals with their distorted or corrupted copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from chainrule.core.arrays import Array, Float
from chainrule.plots.examples import pencil
from chainrule.plots.style import (
    DPI,
    GREY,
    amount,
    mosaic,
    page,
    place,
    styled,
    whole_dots,
    widest,
)

TILE = 90
"""Dots: most for the longer side of one picture."""
BETWEEN = 6
"""Dots between two pictures."""
APART = 54 / DPI
"""Inches between two grids, whole dots."""
LINE = 0.17
"""Inches: height of a line of text."""


@styled()
def distorted(
    images: Float[Array, "N pixels"],
    copies: Float[Array, "N pixels"],
    *,
    shape: tuple[int, int],
    remark: str = "",
    columns: int = 8,
) -> Figure:
    """Grid of images on the left, and of their distorted copies in the same order on the right.

    Pixels in 0..1, 0 drawn light and 1 dark; `shape` (h, w). Raises ValueError without an image, or
    when the arguments do not match.
    """
    _check(images, shape)
    if copies.shape != images.shape or columns < 1:
        raise ValueError(
            f"copies of shape {copies.shape} for images of shape {images.shape} in {columns} "
            "columns: give one copy of each image, and at least one column"
        )
    columns = min(columns, len(images))
    return _side_by_side(
        f"{amount(len(images), 'image')} and {'its' if len(images) == 1 else 'their'} distortions",
        remark,
        [_grid(images, columns), _grid(copies, columns)],
        shape=shape,
        headings=[["as they are"], ["distorted"]],
        rows={},
    )


@styled()
def corrupted(
    images: Float[Array, "G pixels"],
    copies: Mapping[str, Float[Array, "G S pixels"]],
    *,
    shape: tuple[int, int],
    remarks: Mapping[str, str],
) -> Figure:
    """Grid for each image, with a row for each corruption and a column for each severity.

    `copies`, by the corruption's name: (image, severity from 1 to S, h*w), pixels in 0..1, 0 drawn
    light and 1 dark; `remarks`: a few words on each of these names; `shape` (h, w). Raises
    ValueError without an image, or when the arguments do not match.
    """
    _check(images, shape)
    shapes = {pictures.shape for pictures in copies.values()}
    if len(shapes) != 1 or set(copies) != set(remarks):
        raise ValueError(
            f"copies {sorted(copies)} of shapes {sorted(shapes)}, and remarks on "
            f"{sorted(remarks)}: give the same number of copies of each corruption, at least one "
            "corruption, and a remark on each"
        )
    number, severities, pixels = shapes.pop()
    if (number, pixels) != images.shape:
        raise ValueError(
            f"copies of {amount(number, 'image')} of {pixels} pixels for images of shape "
            f"{images.shape}: give copies of each image"
        )
    grids = [
        np.stack([[image, *pictures[i]] for pictures in copies.values()])
        for i, image in enumerate(images)
    ]
    return _side_by_side(
        f"{amount(len(copies), 'corruption')}, severities 1 to {severities}",
        f"Under each name: how much of it severity 1 and severity {severities} are.",
        grids,
        shape=shape,
        headings=[["clean", *map(str, range(1, severities + 1))]] * len(images),
        rows=remarks,
    )


def _check(images: Float[Array, "N pixels"], shape: tuple[int, int]) -> None:
    h, w = shape
    if not len(images) or images.shape[1] != h * w:
        raise ValueError(
            f"images of shape {images.shape} do not make pictures of {h} x {w} pixels: "
            f"give at least one image, and {h * w} columns"
        )


def _grid(images: Float[Array, "N pixels"], columns: int) -> Float[Array, "rows columns pixels"]:
    """The images row by row; the unused end of the last row is NaN: blank."""
    rows = -(-len(images) // columns)
    grid = np.full((rows * columns, images.shape[1]), np.nan)
    grid[: len(images)] = images
    return grid.reshape(rows, columns, -1)


def _side_by_side(
    title: str,
    remark: str,
    grids: Sequence[Float[Array, "rows columns pixels"]],
    *,
    shape: tuple[int, int],
    headings: Sequence[Sequence[str]],
    rows: Mapping[str, str],
) -> Figure:
    """Figure of several grids, with a heading per column or one for all, and names of the rows."""
    scale = whole_dots(TILE / max(shape)) / DPI  # inches a pixel
    gap = max(round(BETWEEN / DPI / scale), 1)
    down, across = shape[0] + gap, shape[1] + gap
    row_count, column_count, _ = grids[0].shape
    height, width = row_count * down * scale, column_count * across * scale
    # Whole dots: a picture that starts between two would be blurred.
    left = float(np.ceil(DPI * widest([*rows, *rows.values()])) + 30) / DPI if rows else 0.0
    figure = page(
        title,
        remark,
        width=left + len(grids) * (width + APART) - APART,
        height=height + LINE + 0.05,
    )
    for i, (grid, names) in enumerate(zip(grids, headings, strict=True)):
        axes = place(figure, left + i * (width + APART), 0.0, width, height)
        axes.set_axis_off()
        sheet = mosaic(
            grid.reshape(row_count * column_count, -1),
            shape=shape,
            columns=column_count,
            pitch=(down, across),
        )
        # By default matplotlib smooths images drawn at 3 dots a pixel and less.
        interpolation = "nearest" if scale * DPI >= 1 else "auto"
        cmap = pencil(grid.reshape(row_count * column_count, -1), shape)
        axes.imshow(sheet, cmap=cmap, vmin=0, vmax=1, aspect="auto", interpolation=interpolation)
        for column, name in enumerate(names):
            x, align = (-0.5, "left") if len(names) == 1 else (shape[1] / 2 - 0.5, "center")
            axes.text(
                column * across + x,
                -0.5 - 0.05 / scale,
                name,
                ha=align,
                va="bottom",
                color=GREY,
            )
    x = -0.5 - left / scale
    for row, (name, words) in enumerate(rows.items()):
        middle = row * down + shape[0] / 2 - 0.5
        figure.axes[0].text(x, middle, name, va="bottom")
        figure.axes[0].text(x, middle, words, va="top", color=GREY)
    return figure

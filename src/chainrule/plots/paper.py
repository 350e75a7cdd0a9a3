"""The sheet that every picture is drawn on: one style, sizes in inches, a heading, a safe save.

Figures are made without pyplot: no screen is needed and nothing global is left behind. The same
input gives the same PNG, whatever the user's own matplotlib settings. Blue and vermilion are from
Okabe and Ito's palette, made for every kind of colour vision (jfly.uni-koeln.de/color).
"""

from __future__ import annotations

import os
import textwrap
import uuid
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font

from chainrule.arrays import Array, Float

DPI = 150
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, GREY, PALE, PAPER = "#22262B", "#5F6670", "#DDE1E6", "#FFFFFF"

STYLE = {name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"} | {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 8.5,
    "text.parse_math": False,  # a class may be called "$5"
    "text.color": INK,
    "figure.facecolor": PAPER,
    "axes.edgecolor": PALE,
    "axes.labelcolor": GREY,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.labelcolor": GREY,
    "ytick.labelcolor": GREY,
}
"""matplotlib's own defaults with ours on top."""

MARGIN = 0.3
"""Inches of paper around everything."""
CHARACTER = 0.075
"""Inches: an average character at 8.5 points, rounded up."""
PICTURE = 140
"""Dots: the longer side of one example's picture."""


def page(title: str, subtitle: str = "", *, width: float, height: float) -> Figure:
    """An empty figure with room for a drawing of `width` x `height` inches under its heading."""
    width = max(width, 4.6)
    heading = textwrap.wrap(title, int(width / 0.105))
    remarks = textwrap.wrap(subtitle, int(width / CHARACTER))
    top = 0.22 * len(heading) + 0.17 * len(remarks) + (0.2 if height else 0)
    full_width, full_height = width + 2 * MARGIN, height + top + 2 * MARGIN
    figure = Figure((full_width, full_height), dpi=DPI)
    y = full_height - MARGIN
    for lines, step, size, weight, color in (
        (heading, 0.22, 11.5, "bold", INK),
        (remarks, 0.17, 8.5, "normal", GREY),
    ):
        for line in lines:
            figure.text(
                MARGIN / full_width,
                y / full_height,
                line,
                size=size,
                weight=weight,
                color=color,
                va="top",
            )
            y -= step
    return figure


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the lower left corner of the drawing."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes(
        (
            (MARGIN + left) / full_width,
            (MARGIN + bottom) / full_height,
            width / full_width,
            height / full_height,
        )
    )


def dots_per_pixel(shape: tuple[int, int]) -> float:
    """A whole number where it can be, so that all pixels of a small picture are equally large."""
    scale = PICTURE / max(shape)
    return float(round(scale)) if scale >= 1 else scale


def mosaic(
    pictures: Float[Array, "n pixels"],
    *,
    shape: tuple[int, int],
    columns: int,
    pitch: tuple[int, int],
) -> Float[Array, "height width"]:
    """All pictures in one array, row by row, one every `pitch` pixels; NaN, blank, between them."""
    (h, w), (down, across) = shape, pitch
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows, down, columns, across), np.nan)
    aside = (across - w) // 2
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        sheet[row, :h, column, aside : aside + w] = picture.reshape(h, w)
    return sheet.reshape(rows * down, columns * across)


def amount(number: int, noun: str) -> str:
    """`1 epoch`, `1,500 epochs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def drawable(classes: Sequence[str]) -> list[str]:
    """Class names of at most 14 characters; `class 3` where the font lacks one of its characters."""
    glyphs = _glyphs()
    return [
        f"class {i}" if {ord(letter) for letter in name} - glyphs else _short(name)
        for i, name in enumerate(classes)
    ]


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "…"


@cache
def _glyphs() -> frozenset[int]:
    font = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return frozenset(get_font(str(font)).get_charmap())


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure as a PNG, whole or not at all: under its name only once it is complete.

    Raises ValueError for a name that does not end in .png, FileNotFoundError for a missing folder.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"cannot save a picture as {path.name!r}: give it a name ending in .png")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save {path}: create the folder {path.parent} first")
    picture = BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(picture.getvalue())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

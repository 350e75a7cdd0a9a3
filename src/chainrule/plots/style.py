"""Plot style: the figure under every picture, sizes in inches, a heading, an atomic save.

Figures are made without pyplot: they need no display and leave no global state behind. The same
input gives the same PNG, regardless of the user's matplotlib settings. Blue and vermilion are from
Okabe and Ito's palette, made for every kind of colour vision (jfly.uni-koeln.de/color).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from chainrule.core.arrays import Array, Float
from chainrule.core.files import write_atomically

DPI = 150
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, GREY, PALE, PAPER = "#22262B", "#5F6670", "#DDE1E6", "#FFFFFF"

STYLE: dict[Any, Any] = {
    name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"
} | {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the same on every machine
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
"""Inches of margin around everything."""
PICTURE = 196
"""Dots: longer side of one example's picture."""


_one = RLock()


@contextmanager
def styled() -> Iterator[None]:
    """Context manager and decorator: matplotlib's settings are STYLE, and afterwards the user's.

    They are the whole process's. So one thread at a time is within: if two left in the order in
    which they came, the second would put back the settings of the first.
    """
    with _one, matplotlib.rc_context(STYLE):
        yield


class Page(Figure):
    """Figure that shows itself in a notebook, whatever backend matplotlib has there."""

    def _repr_png_(self) -> bytes:
        return as_png(self)


def page(title: str, subtitle: str = "", *, width: float = 0.0, height: float = 0.0) -> Figure:
    """Empty figure with room for a drawing of `width` x `height` inches under its heading."""
    width = max(width, 4.6)
    heading = textwrap.wrap(_in_glyphs(title), int(width / 0.105))
    remarks = textwrap.wrap(_in_glyphs(subtitle), int(width / 0.07))
    top = 0.22 * len(heading) + 0.17 * len(remarks) + (0.2 if height else 0)
    full_width, full_height = width + 2 * MARGIN, height + top + 2 * MARGIN
    figure = Page((full_width, full_height), dpi=DPI)
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


def whole_dots(scale: float) -> float:
    """Dots per pixel, whole where there is one or more, so that all pixels look equally large."""
    return float(int(scale)) if scale >= 1 else scale


def mosaic(
    pictures: Float[Array, "n pixels"],
    *,
    shape: tuple[int, int],
    columns: int,
    pitch: tuple[int, int],
) -> Float[Array, "height width"]:
    """Mosaic of pictures in one array, row by row, one every `pitch` pixels; NaN between them."""
    (h, w), (down, across) = shape, pitch
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows, down, columns, across), np.nan)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        sheet[row, :h, column, :w] = picture.reshape(h, w)
    return sheet.reshape(rows * down, columns * across)


def amount(number: int, noun: str) -> str:
    """Number with its noun: `1 epoch`, `1,500 epochs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _in_glyphs(text: str) -> str:
    """Text with a question mark for each character that the font cannot write, nor matplotlib."""
    glyphs = set(_font().get_charmap())
    return "".join(one if ord(one) in glyphs or one.isspace() else "?" for one in text)


def drawable(classes: Sequence[str]) -> list[str]:
    """Class names of at most 14 characters; `class 3` for a name that the font cannot write."""
    glyphs = set(_font().get_charmap())
    return [
        f"class {i}" if {ord(letter) for letter in name} - glyphs else _short(name)
        for i, name in enumerate(classes)
    ]


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "…"


def widest(texts: Sequence[str]) -> float:
    """Width in inches of the longest of some lines of text, at the default size."""
    font = _font()
    font.set_size(STYLE["font.size"], 72)
    widths = []
    for text in texts:
        font.set_text(text)
        widths.append(font.get_width_height()[0] / 64 / 72)  # 1/64 point -> inches
    return max(widths)


@cache
def _font() -> FT2Font:
    return FT2Font(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))


def save(figure: Figure, path: str | Path) -> None:
    """Writes the figure as a PNG, atomically: under its name only once it is complete.

    Raises ValueError for a name that does not end in .png, FileNotFoundError for a missing folder.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"cannot save a picture as {path.name!r}: give it a name ending in .png")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save {path}: create the folder {path.parent} first")
    write_atomically(path, as_png(figure))


def as_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG, the same for the same figure."""
    picture = BytesIO()
    with styled():
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    return picture.getvalue()

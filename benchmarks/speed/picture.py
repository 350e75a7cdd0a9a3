"""Bar chart of the ratios: a bar for each peer and workload, a mark for each goal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from matplotlib.figure import Figure

from benchmarks.speed.report import Row
from benchmarks.speed.work import WORKS

BLUE, VERMILION, INK, GREY, PALE = "#0072B2", "#D55E00", "#22262B", "#5F6670", "#DDE1E6"
TICKS = (0.25, 0.5, 1, 2, 4, 8, 16)


def draw(rows: Sequence[Row], path: Path, *, caption: str) -> None:
    """Writes the picture of all rows that have a peer and a ratio."""
    shown = [row for row in rows if row.peer not in ("bound", "sgemm")]
    works = [work for work in WORKS if any(row.work == work.name for row in shown)]
    height = 0.2 * len(shown) + 0.36 * len(works) + 1.4
    figure = Figure((8.2, height), dpi=150, facecolor="white")
    axes = figure.add_axes((0.16, 0.5 / height, 0.8, 1 - 1.5 / height))
    y, ticks, names = 0.0, [], []
    for work in works:
        axes.text(TICKS[0], y, f"{work.name}  {work.title}", color=INK, size=8.5, va="center",
                  weight="bold")  # fmt: skip
        y += 1.1
        for row in (row for row in shown if row.work == work.name):
            color = BLUE if row.ratio >= 1 else VERMILION
            axes.barh(y, row.ratio - 1, left=1, height=0.72, color=color)
            axes.text(TICKS[-1], y, f"{row.ratio:.2f}", color=INK, size=8, va="center", ha="right")
            if row.goal is not None:
                axes.plot([row.goal] * 2, [y - 0.45, y + 0.45], color=INK, lw=1.6)
            ticks.append(y)
            names.append(row.peer)
            y += 1
        y += 0.7
    axes.set_xscale("log")
    axes.set_xlim(TICKS[0], TICKS[-1])
    axes.set_ylim(y - 0.5, -0.8)
    axes.set_xticks(TICKS, [f"{tick:g}x" for tick in TICKS], color=GREY, size=8)
    axes.set_xticks([], minor=True)
    axes.set_yticks(ticks, names, color=INK, size=8)
    axes.axvline(1, color=GREY, lw=1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color=PALE, lw=0.6)
    axes.set_axisbelow(True)
    figure.text(0.02, 1 - 0.28 / height, "How many times as long the others take", color=INK,
                size=12, weight="bold")  # fmt: skip
    lines = wrap(f"{caption}. The dark mark is the goal.", 120)
    figure.text(0.02, 1 - 0.42 / height, "\n".join(lines), color=GREY, size=8, va="top")
    figure.savefig(path, metadata={"Software": ""})

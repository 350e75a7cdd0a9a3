"""What the tests of the pictures share: made-up runs, and readers of what a figure says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from chainrule.data.catalog import SOURCES
from chainrule.plots import examples
from chainrule.plots.confusion_matrix import confusion
from chainrule.plots.learning_curves import curves
from chainrule.plots.weights import first_layer

DIGITS = [str(digit) for digit in range(10)]
FASHION = list(SOURCES["fashion-mnist"].classes)
BALANCED_EMNIST = list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")


class Epoch(NamedTuple):
    epoch: int
    loss: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    learning_rate: float = 0.1
    seconds: float = 1.0
    objective: float | None = None


def history(length: int) -> list[Epoch]:
    return [Epoch(k, 0.6 / k, 0.5 / k + 0.1, 0.98 - 0.1 / k) for k in range(1, length + 1)]


def matrix(K: int, *, each: int = 1000) -> np.ndarray:
    """About 3 % mistakes, and many cells without any."""
    rng = np.random.default_rng(K)
    errors = rng.poisson(0.03 * each / K * rng.gamma(0.5, 2, (K, K)))
    np.fill_diagonal(errors, each - errors.sum(axis=1))
    return errors


class Run(NamedTuple):
    images: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray


def run(N: int, *, wrong: int, shape: tuple[int, int] = (28, 28), K: int = 10) -> Run:
    """N examples, the `wrong` last of them mistaken."""
    rng = np.random.default_rng(N + wrong)
    labels = rng.integers(0, K, N)
    predicted = np.where(np.arange(N) < N - wrong, labels, (labels + 1) % K)
    images = rng.random((N, shape[0] * shape[1]), dtype=np.float32)
    return Run(images, labels, predicted, rng.uniform(0.5, 1, N))


def mistakes(r: Run, *, shape: tuple[int, int] = (28, 28), count: int = 25) -> Figure:
    return examples.mistakes(
        r.images,
        r.labels,
        predicted=r.predicted,
        confidence=r.confidence,
        shape=shape,
        classes=DIGITS,
        count=count,
    )


def samples(
    r: Run, *, classes: Sequence[str] = DIGITS, shape: tuple[int, int] = (28, 28)
) -> Figure:
    return examples.samples(r.images, r.labels, predicted=r.predicted, shape=shape, classes=classes)


def texts(owner: Figure | Axes) -> list[str]:
    return [text.get_text() for text in owner.texts]


def title(figure: Figure) -> str:
    """The bold lines of the heading."""
    return " ".join(t.get_text() for t in figure.texts if t.get_weight() == "bold")


def remarks(figure: Figure) -> str:
    return " ".join(t.get_text() for t in figure.texts if t.get_weight() != "bold")


def captions(figure: Figure) -> list[tuple[str, str]]:
    lines = texts(figure.axes[0])
    return list(zip(lines[::2], lines[1::2], strict=True))


def tiles(figure: Figure, shape: tuple[int, int]) -> list[np.ndarray]:
    """The pictures found in a mosaic: each block of values that stands in blank (NaN) paper."""
    sheet = np.ma.getdata(figure.axes[0].images[0].get_array()).astype(float)
    shown = ~np.isnan(sheet)
    h, w = shape
    corners = [
        (y, x)
        for y, x in np.argwhere(shown)
        if not (y and shown[y - 1, x]) and not (x and shown[y, x - 1])
    ]
    return [sheet[y : y + h, x : x + w] for y, x in corners]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def visible_texts(figure: Figure) -> list[tuple[Text, np.ndarray]]:
    """Each text with its extent in dots: left, bottom, right, top."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    out_of_view = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    return [
        (text, text.get_window_extent(renderer).extents)
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in out_of_view
    ]


PICTURES: dict[str, Callable[[], Figure]] = {
    "curves": lambda: curves(history(10)),
    "curves of one epoch": lambda: curves(history(1)),
    "curves of 2,000 epochs": lambda: curves(history(2000)),
    "curves without validation": lambda: curves([Epoch(k, 2.302585) for k in range(9)]),
    "confusion": lambda: confusion(matrix(10), DIGITS),
    "confusion of fashion": lambda: confusion(matrix(10), FASHION),
    "confusion of 2": lambda: confusion(matrix(2, each=100_000), ["no", "yes"]),
    "confusion of 26": lambda: confusion(matrix(26), [chr(65 + k) for k in range(26)]),
    "confusion of 47": lambda: confusion(matrix(47, each=400), BALANCED_EMNIST),
    "confusion of long names": lambda: confusion(matrix(3), ["m" * 40, "b", "c"]),
    "mistakes": lambda: mistakes(run(100, wrong=40)),
    "one mistake": lambda: mistakes(run(100, wrong=1)),
    "no mistake": lambda: mistakes(run(100, wrong=0)),
    "mistakes, 20 x 30": lambda: mistakes(run(50, wrong=9, shape=(20, 30)), shape=(20, 30)),
    "samples": lambda: samples(run(9, wrong=2)),
    "samples of fashion": lambda: samples(run(9, wrong=9), classes=FASHION),
    "samples, 300 x 200": lambda: samples(run(9, wrong=2, shape=(300, 200)), shape=(300, 200)),
    "first layer": lambda: first_layer(np.eye(784, 128), shape=(28, 28)),
    "first layer of zeros": lambda: first_layer(np.zeros((6, 1)), shape=(2, 3)),
}


def luminance(color: Sequence[float]) -> float:
    """Relative luminance, WCAG 2.2."""
    rgb = np.asarray(color[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """From 1 (none) to 21 (black on white), WCAG 2.2; 3 is its least for large text."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)

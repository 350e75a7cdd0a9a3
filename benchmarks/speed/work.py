"""Workloads of the speed benchmark, each with its goals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Work:
    """One piece of work, the same for everyone who does it."""

    name: str
    title: str
    kind: str
    """train, predict, load or command: which function of a peer does it."""
    unit: str
    """What one figure is the time of: an epoch, an iteration, a call."""
    goals: dict[str, float]
    """peer -> the ratio peer / ours that is aimed at; "" -> a bound on our own seconds."""
    widths: tuple[int, ...] = ()
    activation: str = ""
    """Of the hidden layers: sigmoid or relu."""
    loss: str = ""
    """softmax-cross-entropy, or sigmoid-cross-entropy: K yes-or-no questions; means over rows."""
    optimizer: str = ""
    """sgd, or adam with beta1 0.9, beta2 0.999, epsilon 1e-8."""
    learning_rate: float = 0.0
    batch_size: int = 0
    """0: all images at once."""
    shuffle: bool = False
    """Another order in each epoch; else the order of the file."""
    compilable: bool = False
    """Our own machine code (numba) does it too; the quicker of our two counts."""
    rows: int = 0
    """predict: images in one call."""

    def operations(self, images: int) -> int:
        """Floating-point operations of one unit's matrix products; 0 where there are none.

        Two for each weight and image forward; training four more, but none for the gradient by
        the images themselves.
        """
        weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(self.widths))
        if self.kind == "predict":
            return 2 * weights * self.rows
        if not weights:
            return 0
        return (6 * weights - 2 * self.widths[0] * self.widths[1]) * images


@dataclass(frozen=True)
class Data:
    """MNIST as every contender gets it: float32 pixels in 0..1, integer labels."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    folder: str
    """Where `load` finds the same data as files."""

    ARRAYS: ClassVar[tuple[str, ...]] = ("X", "y", "X_test", "y_test")


@dataclass(frozen=True)
class Task:
    """A piece of work, made ready by one contender."""

    run: Callable[[], float]
    """Does the work once more and returns the seconds of one unit."""
    accuracy: Callable[[], float]
    """The share of test images that are right after what has been run so far, 0..1."""


def seconds(function: Callable[[], object], times: int = 1) -> float:
    """The seconds that one of `times` calls in a row takes."""
    started = perf_counter()
    for _ in range(times):
        function()
    return (perf_counter() - started) / times


def latency(function: Callable[[], object], calls: int = 2000) -> float:
    """The median of the seconds that single calls take."""
    taken = []
    for _ in range(calls):
        started = perf_counter()
        function()
        taken.append(perf_counter() - started)
    return median(taken)


SMALL = (784, 128, 64, 10)
LARGE = (784, 512, 512, 10)

WORKS: tuple[Work, ...] = (
    Work(
        "T1", "784-128-64-10 sigmoid, SGD, batch 10", "train", "epoch",
        {"article": 6, "scikit-learn": 3.5, "torch": 3, "torch.compile": 3, "jax": 0.7},
        SMALL, "sigmoid", "sigmoid-cross-entropy", "sgd", 0.3, 10, compilable=True,
    ),
    Work(
        "T2", "784-128-64-10 sigmoid, SGD, batch 128", "train", "epoch",
        {"scikit-learn": 2, "torch": 3.3, "torch.compile": 2.5, "jax": 1.5},
        SMALL, "sigmoid", "sigmoid-cross-entropy", "sgd", 0.5, 128, compilable=True,
    ),
    Work(
        "T3", "784-512-512-10 ReLU, Adam, batch 128, shuffled", "train", "epoch",
        {"scikit-learn": 2.2, "torch": 1.7, "torch.compile": 1.5, "jax": 1.0},
        LARGE, "relu", "softmax-cross-entropy", "adam", 1e-3, 128, shuffle=True, compilable=True,
    ),
    Work(
        "T4", "784-512-512-10 ReLU, Adam, batch 512, shuffled", "train", "epoch",
        {"scikit-learn": 2, "torch": 2, "torch.compile": 1.8, "jax": 1.3, "sgemm": 0.7},
        LARGE, "relu", "softmax-cross-entropy", "adam", 1e-3, 512, shuffle=True, compilable=True,
    ),
    Work(
        "T5", "784-50-50-50-10 ReLU, SGD, all 60,000 at once", "train", "iteration",
        {"article": 4, "torch": 2, "jax": 1.3},
        (784, 50, 50, 50, 10), "relu", "softmax-cross-entropy", "sgd", 0.05,
    ),
    Work(
        "P1", "predict one image, 784-128-64-10", "predict", "call",
        {"onnxruntime": 0.9, "torch": 2},
        SMALL, "sigmoid", "softmax-cross-entropy", rows=1,
    ),
    Work(
        "P2", "predict 10,000 images, 784-512-512-10", "predict", "call",
        {"onnxruntime": 1.2, "torch": 2.2, "scikit-learn": 1.5},
        LARGE, "relu", "softmax-cross-entropy", rows=10_000,
    ),
    Work("L1", "load MNIST from the cache", "load", "call", {"": 0.25}),
    Work("A1", "the command, to 98 % on disk", "command", "run", {"": 3.0}),
)  # fmt: skip

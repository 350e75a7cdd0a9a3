"""The estimators beside scikit-learn's own networks: speed at the same work, and accuracy.

    python -m benchmarks.estimators [--only iris,wine] [--write]

Speed: as many epochs of the same batches (lbfgs: iterations) in one process on one BLAS thread,
taking turns; the ratio of the medians of CPU seconds. Accuracy: both with their defaults on ten
splits into three quarters and one, the inputs standardised; the difference by pairs, with its
interval. --write puts the table into docs/estimators.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse, stats
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.contention import now, others_since
from benchmarks.machine import machine, versions
from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

DOCUMENT = Path(__file__).parents[1] / "docs" / "estimators.md"
TURNS, SPLITS = 7, 10
WORK = 60_000
"""Examples seen in one turn."""
GOALS = {"float64": 1.8, "float32": 2.3, "lbfgs": 1.0, "accuracy": -0.5}

Data = tuple[Any, np.ndarray]


def made(examples: int, features: int, classes: int, **more: Any) -> Data:
    """A made set of classes, with noise."""
    X, y = datasets.make_classification(
        examples, features, n_classes=classes, n_informative=features // 3, random_state=0, **more
    )
    return X, y


def text_like() -> Data:
    """Counts of words of ten subjects: sparse rows, 5,000 words of which a text has about 60."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 1500)
    common = 1 / np.arange(1, 5001)
    of_class = common * rng.gamma(0.3, size=(10, 5000))
    of_class = 0.5 * of_class / of_class.sum(1, keepdims=True) + 0.5 * common / common.sum()
    rows = np.stack([rng.multinomial(60, of_class[label]) for label in y])
    return sparse.csr_array(np.log1p(rows)), y


SETS: dict[str, Callable[[], Data]] = {
    "iris": partial(datasets.load_iris, return_X_y=True),
    "wine": partial(datasets.load_wine, return_X_y=True),
    "breast cancer": partial(datasets.load_breast_cancer, return_X_y=True),
    "digits": partial(datasets.load_digits, return_X_y=True),
    "diabetes (values)": partial(datasets.load_diabetes, return_X_y=True),
    "made, 5 classes": partial(made, 4000, 50, 5, flip_y=0.1),
    "made, 7 classes, forest-like": partial(made, 6000, 54, 7, n_clusters_per_class=1),
    "made, rare class": partial(made, 4000, 30, 2, weights=[0.9], class_sep=0.7),
    "made, values": partial(datasets.make_friedman1, 3000, noise=1.0, random_state=0),
    "text-like, sparse": text_like,
}


class Result(NamedTuple):
    """Figures of one data set."""

    name: str
    shape: tuple[int, int]
    float64: float
    float32: float
    lbfgs: float
    theirs: float
    ours: float
    low: float
    high: float


def pair(y: np.ndarray) -> tuple[type, type]:
    """(ours, scikit-learn's) for this target."""
    if y.dtype.kind == "f":
        return NetworkRegressor, MLPRegressor
    return NetworkClassifier, MLPClassifier


def seconds(estimator: Any, X: Any, y: np.ndarray) -> float:
    """CPU seconds of a fit, by iteration where the solver ends on its own."""
    start = time.process_time()
    estimator.fit(X, y)
    return (time.process_time() - start) / estimator.n_iter_


def speed(X: Any, y: np.ndarray) -> tuple[float, float, float]:
    """How many times as fast: in float64, in float32 against float64, with lbfgs."""
    ours, theirs = pair(y)
    epochs = max(3, WORK // len(y))
    same = {"max_iter": epochs, "n_iter_no_change": inf, "tol": 0.0, "random_state": 0}
    lbfgs = same | {"solver": "lbfgs", "max_iter": 30}
    contenders = [
        theirs(**same), ours(**same), ours(**same, dtype="float32"), theirs(**lbfgs), ours(**lbfgs)
    ]  # fmt: skip
    taken = np.array([[seconds(each, X, y) for each in contenders] for _ in range(TURNS + 1)])
    their, our, single, their_lbfgs, our_lbfgs = np.median(taken[1:], axis=0)  # the first warms up
    return their / our, their / single, their_lbfgs / our_lbfgs


def scores(X: Any, y: np.ndarray) -> np.ndarray:
    """(scikit-learn's, ours) on each split, in points of 100, (SPLITS, 2)."""
    ours, theirs = pair(y)
    more: dict[str, Any] = {"max_iter": 30} if sparse.issparse(X) else {}
    found = []
    for split in range(SPLITS):
        stratify = None if y.dtype.kind == "f" else y
        parts = train_test_split(X, y, test_size=0.25, random_state=split, stratify=stratify)
        scaler = StandardScaler(with_mean=not sparse.issparse(X)).fit(parts[0])
        train, test = scaler.transform(parts[0]), scaler.transform(parts[1])
        found.append(
            [
                100 * each(random_state=split, **more).fit(train, parts[2]).score(test, parts[3])
                for each in (theirs, ours)
            ]
        )
    return np.array(found)


def interval(differences: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a mean of differences, by Student's t."""
    half = stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    return float(differences.mean() - half), float(differences.mean() + half)


def measured(name: str) -> tuple[Result, np.ndarray]:
    """(figures of one set, its differences in points)."""
    X, y = SETS[name]()
    if y.dtype.kind == "f":
        y = (y - y.mean()) / y.std()
    scaled = StandardScaler(with_mean=not sparse.issparse(X)).fit_transform(X)
    ratios = speed(scaled, y)
    found = scores(X, y)
    differences = found[:, 1] - found[:, 0]
    theirs, ours = found.mean(axis=0)
    return Result(name, X.shape, *ratios, theirs, ours, *interval(differences)), differences


def table(results: list[Result], differences: list[np.ndarray], others: float | None) -> str:
    """The table of docs/estimators.md, with the machine it was measured on."""
    lines = [
        "| data | rows x columns | float64 | float32 | lbfgs | scikit-learn | ours | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.name} | {r.shape[0]:,} x {r.shape[1]:,} | {r.float64:.1f} | {r.float32:.1f} | "
        f"{r.lbfgs:.1f} | {r.theirs:.1f} | {r.ours:.1f} | {r.low:+.1f} to {r.high:+.1f} |"
        for r in results
    ]
    low, high = interval(np.concatenate(differences))
    at, of = machine(), versions()
    busy = "" if others is None else f"; others kept {others:.1f} cores busy meanwhile"
    return "\n".join(
        [
            *lines,
            "",
            f"All {len(results)} sets together: {low:+.2f} to {high:+.2f} points. Measured on "
            f"{at['date']}: {at['processor']}, {at['cores']} cores, numpy {of['numpy']}, "
            f"scikit-learn {of['scikit-learn']}{busy}.",
        ]
    )


def write(text: str) -> None:
    """Puts the table between the markers of docs/estimators.md."""
    page = DOCUMENT.read_text(encoding="utf-8")
    between = r"(<!-- measured -->\n).*?(<!-- end -->)"
    if not re.search(between, page, re.DOTALL):
        raise ValueError(f"{DOCUMENT} has no marks: put <!-- measured --> above <!-- end -->")
    DOCUMENT.write_text(
        re.sub(between, lambda found: f"{found[1]}{text}\n{found[2]}", page, flags=re.DOTALL),
        encoding="utf-8",
    )


def missed(results: list[Result]) -> list[str]:
    """The goals that were missed, in words."""
    words = [
        f"{r.name}: {what} {getattr(r, what):.2f}, goal {GOALS[what]}"
        for r in results
        for what in ("float64", "float32", "lbfgs")
        if getattr(r, what) < GOALS[what]
    ]
    words += [
        f"{r.name}: the difference may be {r.low:+.2f} points, goal {GOALS['accuracy']}"
        for r in results
        if r.low < GOALS["accuracy"]
    ]
    return words


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, and with --write writes; the number of goals missed."""
    parser = argparse.ArgumentParser(description="The estimators beside scikit-learn's networks.")
    parser.add_argument("--only", default=",".join(SETS), help="data sets, with commas between")
    parser.add_argument("--write", action="store_true", help="write docs/estimators.md")
    asked = parser.parse_args(arguments)
    names = [name for name in SETS if any(part in name for part in asked.only.split(","))]
    warnings.simplefilter("ignore", ConvergenceWarning)
    begun, results, differences = now(), [], []
    with threadpool_limits(1, user_api="blas"):
        for name in names:
            result, difference = measured(name)
            results.append(result)
            differences.append(difference)
            print(f"{name}: {[round(float(x), 2) for x in result[2:]]}", file=sys.stderr)
    text = table(results, differences, others_since(begun))
    print(text)
    for words in missed(results):
        print(f"missed: {words}")
    if asked.write:
        write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Choice of the recipe for tables: candidates on the validation parts of several data sets.

    python -m benchmarks.tables [--splits 5] [--only dropout]

Each set is split by class again and again; a candidate trains on five sixths and is measured on the
rest. Nothing here is measured on a test part. The data sets are scikit-learn's small ones and made
ones of other sizes: with noise, with more columns than tell anything, with few rows.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.machine import machine
from chainrule.core.arrays import Array
from chainrule.core.schema import Column, Schema
from chainrule.data.dataset import Part, assemble
from chainrule.experiments.job import prepare, run
from chainrule.experiments.settings import Settings
from chainrule.experiments.split import by_class
from chainrule.nn.losses import LOSSES
from chainrule.training.evaluate import measure

BASE = Settings(
    layers=(1, 64, 64, 2), optimizer="adamw", batch_size=32, learning_rate=3e-3, epochs=100,
    schedule="one-cycle", weight_decay=0.01, threads=1,
)  # fmt: skip
WIDE = replace(BASE, layers=(1, 128, 128, 2))
CANDIDATES: dict[str, Settings] = {
    "base: 64,64, AdamW 3e-3, one-cycle, 100 epochs": BASE,
    "rate 1e-3": replace(BASE, learning_rate=1e-3),
    "rate 1e-2": replace(BASE, learning_rate=1e-2),
    "32": replace(BASE, layers=(1, 32, 2)),
    "128,128": WIDE,
    "decay 0.1": replace(BASE, weight_decay=0.1),
    "dropout 0.2": replace(BASE, dropout=0.2),
    "dropout 0.4": replace(BASE, dropout=0.4),
    "smoothing 0.05": replace(BASE, label_smoothing=0.05),
    "gelu": replace(BASE, activation=("gelu",)),
    "30 epochs": replace(BASE, epochs=30),
    "200 epochs": replace(BASE, epochs=200),
    "200 epochs, dropout 0.4": replace(BASE, epochs=200, dropout=0.4),
    "dropout 0.4, rate 1e-2": replace(BASE, dropout=0.4, learning_rate=1e-2),
    "128,128, dropout 0.4": replace(WIDE, dropout=0.4),
    "128,128, dropout 0.5": replace(WIDE, dropout=0.5),
    "128,128, dropout 0.4, rate 1e-2": replace(WIDE, dropout=0.4, learning_rate=1e-2),
    "128,128, dropout 0.4, rate 1e-2, decay 0.1": replace(
        WIDE, dropout=0.4, learning_rate=1e-2, weight_decay=0.1
    ),
    "128,128, gelu, dropout 0.4": replace(WIDE, dropout=0.4, activation=("gelu",)),
    "256,256, dropout 0.5": replace(BASE, layers=(1, 256, 256, 2), dropout=0.5),
}


class Measured(NamedTuple):
    """What a candidate came to on one set: means over the splits."""

    accuracy: float
    loss: float
    seconds: float


def data_sets() -> Iterator[tuple[str, Array, Array]]:
    """(name, inputs, labels) of each set, unscaled."""
    from sklearn import datasets

    for load in (datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer):
        found = load()
        yield load.__name__.removeprefix("load_"), found.data, found.target
    for name, options in {
        "few rows": {"n_samples": 120, "n_features": 20, "n_informative": 5, "n_classes": 3},
        "noise": {"n_samples": 1500, "n_features": 20, "n_informative": 8, "flip_y": 0.2},
        "many columns": {"n_samples": 800, "n_features": 200, "n_informative": 10},
        "five classes": {"n_samples": 4000, "n_features": 30, "n_informative": 15, "n_classes": 5},
        "clusters": {"n_samples": 3000, "n_features": 10, "n_informative": 8, "n_classes": 4,
                     "n_clusters_per_class": 3},
    }.items():  # fmt: skip
        X, y = datasets.make_classification(random_state=0, **options)
        yield name, X, y
    X, y = datasets.make_moons(600, noise=0.25, random_state=0)
    yield "moons", X, y


def measured(X: Array, y: Array, settings: Settings, splits: int) -> Measured:
    """A candidate on one set."""
    found = []
    for seed in range(splits):
        rng = np.random.default_rng(seed)
        held = by_class(y, len(y) // 6, rng, spare=1)
        scale = X[~held].std(axis=0)
        scaled = ((X - X[~held].mean(axis=0)) / np.where(scale, scale, 1)).astype(np.float32)
        parts = (Part(scaled[rows][:, None], y[rows].astype(np.int64)) for rows in (~held, held))
        columns = tuple(Column(str(k), k) for k in range(X.shape[1]))
        data = assemble(
            *parts, name="table", classes=tuple(map(str, range(int(y.max()) + 1))), source="made",
            schema=Schema(columns, "y", len(columns), len(columns) + 1, header=False),
        )  # fmt: skip
        job = prepare(replace(settings, seed=seed), data)
        began = time.perf_counter()
        for _ in run(job):
            pass
        seconds = time.perf_counter() - began
        loss, accuracy = measure(
            job.network, job.test, loss=LOSSES["softmax-cross-entropy"].function
        )
        found.append((accuracy, loss, seconds))
    return Measured(*np.mean(found, axis=0).tolist())


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each candidate: validation accuracy of each set, the means, the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--only", default="", help="candidates with this in their name")
    asked = parser.parse_args(arguments)
    sets = list(data_sets())
    head = [name for name, _, _ in sets]
    print(f"| candidate | {' | '.join(head)} | mean | loss | s |")
    print("|---" * (len(head) + 4) + "|", flush=True)
    for name, settings in CANDIDATES.items():
        if asked.only not in name:
            continue
        rows = [measured(X, y, settings, asked.splits) for _, X, y in sets]
        cells = [f"{100 * row.accuracy:.2f}" for row in rows]
        mean, loss = (float(np.mean([row[k] for row in rows])) for k in (0, 1))
        seconds = sum(row.seconds for row in rows)
        print(f"| {name} | {' | '.join(cells)} | {100 * mean:.2f} | {loss:.3f} | {seconds:.1f} |",
              flush=True)  # fmt: skip
    print(f"\n({', '.join(f'{what} {value}' for what, value in machine().items())})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""chainrule, through its public functions."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

import chainrule as cr
from benchmarks.speed.peers.weights import first_weights
from benchmarks.speed.work import Data, Task, Work, latency, seconds
from chainrule.nn.losses import LOSSES
from chainrule.nn.predictor import Predictor

COMMAND = [
    sys.executable, "-m", "chainrule", "train", "--recipe", "sprint", "--no-pictures",
    "--run", "timed", "--offline",
]  # fmt: skip
"""What A1 types."""


def network_for(work: Work) -> cr.Network:
    """A network with the first weights that every contender starts from."""
    layers = [
        cr.Dense(fan_in, fan_out, activation)
        for fan_in, fan_out, activation in zip(
            work.widths[:-1],
            work.widths[1:],
            [work.activation] * (len(work.widths) - 2) + ["identity"],
            strict=True,
        )
    ]
    network = cr.Network(layers, link=LOSSES[work.loss].link)
    for W, b, (first_W, first_b) in zip(network.W, network.b, first_weights(work), strict=True):
        W[...], b[...] = first_W, first_b
    return network


def train(work: Work, data: Data, threads: int, *, compiled: bool = False) -> Task:
    """One epoch; of a full batch, ten."""
    network = network_for(work)
    epochs = cr.train(
        network,
        (data.X, data.y),
        rng=np.random.default_rng(0) if work.shuffle else None,
        epochs=10**9,
        batch_size=work.batch_size or len(data.y),
        loss=work.loss,
        optimizer=work.optimizer,
        learning_rate=work.learning_rate,
        compiled=compiled,
    )
    times = 1 if work.batch_size else 10
    return Task(
        run=lambda: seconds(lambda: next(epochs), times),
        accuracy=lambda: cr.evaluate(network, (data.X_test, data.y_test), loss=work.loss)[1],
    )


def train_compiled(work: Work, data: Data, threads: int) -> Task:
    """The same with the steps in machine code."""
    return train(work, data, threads, compiled=True)


def predict(work: Work, data: Data, threads: int) -> Task:
    """Probabilities of the first rows of the test set."""
    predict_proba = Predictor(network_for(work))
    X = data.X_test[: work.rows]
    measure = latency if work.rows == 1 else seconds
    return Task(
        run=lambda: measure(lambda: predict_proba(X)),
        accuracy=lambda: float(np.mean(predict_proba(data.X_test).argmax(1) == data.y_test)),
    )


def load(work: Work, data: Data, threads: int) -> Task:
    """From the cache, checksums included, as float32 rows in 0..1."""
    return Task(run=lambda: seconds(lambda: cr.load("mnist")), accuracy=lambda: float("nan"))


def command(work: Work, data: Data, threads: int) -> Task:
    """`chainrule train` as a user types it, in an empty folder; seconds of the whole process."""
    accuracy = [float("nan")]

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = perf_counter()
            subprocess.run(COMMAND, cwd=folder, check=True, capture_output=True)
            taken = perf_counter() - started
            report = json.loads((Path(folder) / "runs" / "timed" / "report.json").read_text())
        accuracy[0] = report["test_accuracy"]
        return taken

    return Task(run, lambda: accuracy[0])

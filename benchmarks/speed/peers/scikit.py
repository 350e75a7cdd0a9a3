"""scikit-learn's MLPClassifier, an epoch by `partial_fit`, in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import set_config
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state

from benchmarks.speed.peers.weights import first_weights
from benchmarks.speed.work import Data, Task, Work, latency, seconds


def train(work: Work, data: Data, threads: int) -> Task:
    """One epoch over data.X."""
    del threads  # NumPy's BLAS read its number from the environment.
    y = _targets(work, data)
    model = _first_model(work, data.X, y)

    def epoch() -> None:
        model.partial_fit(data.X, y)

    return Task(lambda: seconds(epoch), lambda: _accuracy(model, data))


def predict(work: Work, data: Data, threads: int) -> Task:
    """The probabilities of work.rows test images."""
    del threads
    model = _first_model(work, data.X, _targets(work, data))
    X = data.X_test[: work.rows]

    def call() -> np.ndarray:
        probabilities: np.ndarray = model.predict_proba(X)
        return probabilities

    clock = latency if work.rows == 1 else seconds
    return Task(lambda: clock(call), lambda: _accuracy(model, data))


def _targets(work: Work, data: Data) -> np.ndarray:
    """Labels, or one-hot rows: to those scikit-learn fits logistic outputs, each yes or no."""
    if work.loss == "softmax-cross-entropy":
        return data.y
    one_hot: np.ndarray = np.eye(work.widths[-1], dtype=np.float32)[data.y]
    return one_hot


def _first_model(work: Work, X: np.ndarray, y: np.ndarray) -> Any:
    # Checking the input took 99 ms an epoch on T2, 10 % of it; so, with float32 targets, 10 ms.
    set_config(assume_finite=True)
    # A generator rather than a seed: with a seed, partial_fit draws the same order each time.
    # Adam's epsilon stays 1e-8; scikit-learn adds it before the bias correction, others after.
    model = MLPClassifier(
        hidden_layer_sizes=work.widths[1:-1],
        activation={"sigmoid": "logistic", "relu": "relu"}[work.activation],
        solver=work.optimizer or "adam",
        alpha=0.0,
        batch_size=work.batch_size or "auto",
        learning_rate="constant",
        learning_rate_init=work.learning_rate or 1e-3,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=work.shuffle,
        random_state=check_random_state(0),
    )
    # One step makes the arrays; then they get the weights that everyone starts from, and the
    # optimizer, which holds averages of that step, is made anew by the next partial_fit.
    rows = work.batch_size or 1000
    model.partial_fit(X[:rows], y[:rows], classes=np.arange(work.widths[-1]))
    del model._optimizer
    pairs = zip(model.coefs_, model.intercepts_, first_weights(work), strict=True)
    for coef, intercept, (W, b) in pairs:
        coef[...] = W
        intercept[...] = b
    return model


def _accuracy(model: Any, data: Data) -> float:
    return float(np.mean(model.predict_proba(data.X_test).argmax(axis=1) == data.y_test))

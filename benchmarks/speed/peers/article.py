"""Articles as peers: their own arithmetic, float64, one example a column, an array for each result.

T1 is the sigmoid network of "Deep Neural Network with MNIST Digit Recognition Example from
Scratch" (Parikshit Patil), T5 the ReLU network of "MNIST digits classification with Deep Learning
using Python and Numpy" (Deep Learning on Medium). The formulas and the order of the NumPy calls
are theirs, detours included; learning rate, first weights and pixels are the benchmark's.
"""

from __future__ import annotations

import numpy as np

from benchmarks.speed.peers.weights import first_weights
from benchmarks.speed.work import Data, Task, Work, seconds

Named = dict[str, np.ndarray]
"""W1, b1, W2, ... or what a pass leaves behind: Z1, A1, dW1, ..."""


def train(work: Work, data: Data, threads: int) -> Task:
    """One pass over data.X, in the order of the file; T5: ten iterations, seconds of one."""
    del threads  # NumPy's BLAS read its number from the environment.
    forward, cost, backward = {
        "sigmoid": (_sigmoid_forward, _sigmoid_cost, _sigmoid_backward),
        "relu": (_relu_forward, _relu_cost, _relu_backward),
    }[work.activation]
    depth = len(work.widths) - 1
    parameters: Named = {}
    for layer, (W, b) in enumerate(first_weights(work), 1):
        parameters[f"W{layer}"] = W.T.astype(np.float64)
        parameters[f"b{layer}"] = b[:, np.newaxis].astype(np.float64)
    X = data.X.astype(np.float64).T
    Y = np.zeros((work.widths[-1], len(data.y)))
    Y[data.y, np.arange(len(data.y))] = 1
    size = work.batch_size or X.shape[1]
    kept: Named = {}

    def epoch() -> float:
        total = 0.0
        for start in range(0, X.shape[1], size):
            batch, target = X[:, start : start + size], Y[:, start : start + size]
            forward(parameters, kept, batch, depth)
            total += cost(kept[f"A{depth}"], target)
            backward(parameters, kept, target, depth)
            _update(parameters, kept, work.learning_rate, depth)
        return total

    def accuracy() -> float:
        passed: Named = {}
        forward(parameters, passed, data.X_test.astype(np.float64).T, depth)
        return float(np.mean(passed[f"A{depth}"].argmax(axis=0) == data.y_test))

    return Task(lambda: seconds(epoch, 1 if work.batch_size else 10), accuracy)


def _update(parameters: Named, kept: Named, rate: float, depth: int) -> None:
    for layer in range(1, depth + 1):
        parameters[f"W{layer}"] = parameters[f"W{layer}"] - rate * kept[f"dW{layer}"]
        parameters[f"b{layer}"] = parameters[f"b{layer}"] - rate * kept[f"db{layer}"]


def _sigmoid(Z: np.ndarray) -> np.ndarray:
    A: np.ndarray = 1 / (1 + np.exp(-Z))
    return A


def _sigmoid_slope(Z: np.ndarray) -> np.ndarray:
    slope: np.ndarray = _sigmoid(Z) * (1 - _sigmoid(Z))
    return slope


def _sigmoid_forward(parameters: Named, kept: Named, X: np.ndarray, depth: int) -> None:
    kept["A0"] = X
    for layer in range(1, depth + 1):
        W, b = parameters[f"W{layer}"], parameters[f"b{layer}"]
        kept[f"Z{layer}"] = np.dot(W, kept[f"A{layer - 1}"]) + b
        kept[f"A{layer}"] = _sigmoid(kept[f"Z{layer}"])


def _sigmoid_cost(A: np.ndarray, Y: np.ndarray) -> float:
    return float(-np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)))


def _sigmoid_backward(parameters: Named, kept: Named, Y: np.ndarray, depth: int) -> None:
    for layer in range(depth, 0, -1):
        if layer == depth:
            dZ = (1 / Y.shape[1]) * (kept[f"A{depth}"] - Y)
        else:
            dA = np.dot(parameters[f"W{layer + 1}"].T, kept[f"dZ{layer + 1}"])
            dZ = dA * _sigmoid_slope(kept[f"Z{layer}"])
        kept[f"dZ{layer}"] = dZ
        kept[f"dW{layer}"] = np.dot(dZ, kept[f"A{layer - 1}"].T)
        kept[f"db{layer}"] = np.sum(dZ, axis=1, keepdims=True)


def _softmax(Z: np.ndarray) -> np.ndarray:
    A: np.ndarray = np.exp(Z) / np.sum(np.exp(Z), axis=0, keepdims=True)
    return A


def _step_in_place(Z: np.ndarray) -> np.ndarray:
    """ReLU's slope, written over Z as in the article."""
    Z[Z <= 0] = 0
    Z[Z > 0] = 1
    return Z


def _relu_forward(parameters: Named, kept: Named, X: np.ndarray, depth: int) -> None:
    kept["A0"] = X
    for layer in range(1, depth + 1):
        W, b = parameters[f"W{layer}"], parameters[f"b{layer}"]
        Z = kept[f"Z{layer}"] = np.dot(W, kept[f"A{layer - 1}"]) + b
        kept[f"A{layer}"] = np.maximum(0, Z) if layer < depth else _softmax(Z)


def _relu_cost(A: np.ndarray, Y: np.ndarray) -> float:
    per_image = -np.sum(Y * np.log(A), axis=0, keepdims=True)
    return float((np.sum(per_image, axis=1) / Y.shape[1])[0])


def _relu_backward(parameters: Named, kept: Named, Y: np.ndarray, depth: int) -> None:
    kept[f"dZ{depth}"] = (kept[f"A{depth}"] - Y) / Y.shape[1]
    for layer in range(depth - 1, 0, -1):
        dA = np.dot(parameters[f"W{layer + 1}"].T, kept[f"dZ{layer + 1}"])
        kept[f"dA{layer}"] = dA
        kept[f"dZ{layer}"] = dA * _step_in_place(kept[f"Z{layer}"])
    for layer in range(1, depth + 1):
        kept[f"dW{layer}"] = np.dot(kept[f"dZ{layer}"], kept[f"A{layer - 1}"].T)
        kept[f"db{layer}"] = np.sum(kept[f"dZ{layer}"], axis=1, keepdims=True)

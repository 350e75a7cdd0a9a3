"""One training step as a single function in machine code, for batches too small for NumPy.

An extra, by numba. 784-128-64-10 on batches of 10 MNIST images takes 0.6 of the time of NumPy's
step (220 us and 360, in turns, on a busy machine). An input that is zero takes no part, neither
forward nor in the update of its weights: 81 % of MNIST's pixels are. No gradient is stored.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from math import exp, isfinite, log, log1p, tanh
from typing import Any, no_type_check

import numpy as np

from chainrule.arrays import Array, Float, Int
from chainrule.network import Network
from chainrule.optimizers import SGD, Optimizer

LOSSES = ("softmax-cross-entropy", "sigmoid-cross-entropy")
KINDS = ("identity", "sigmoid", "tanh", "relu")
"""The activations, each known to the machine code by its place here."""


def supports(network: Network, loss_name: str, optimizer: Optimizer) -> bool:
    """Whether a CompiledStep takes the same step as these three: SGD plain, outputs logits."""
    *hidden, output = (layer.activation for layer in network.layers)
    plain = type(optimizer) is SGD and not (optimizer.momentum or optimizer.weight_decay)
    return plain and loss_name in LOSSES and output == KINDS[0] and {*hidden} <= {*KINDS[1:]}


def objection(
    network: Network, loss: object, optimizer: Optimizer, *, l2: float, max_norm: float | None
) -> str:
    """Why there can be no CompiledStep for these, for people; empty: there can be one."""
    if find_spec("numba") is None:
        return "numba is missing: pip install 'chainrule[compiled]'"
    if l2 or max_norm or not isinstance(loss, str) or not supports(network, loss, optimizer):
        return (
            "the compiled step knows sgd without momentum, l2, weight decay and max_norm, the two "
            "cross-entropies, and relu, tanh and sigmoid in hidden layers: leave it out for others"
        )
    return ""


class CompiledStep:
    """Steps of plain SGD on batches of at most `batch_size` rows, with the memory they need."""

    def __init__(
        self, network: Network, *, loss: str, label_smoothing: float, batch_size: int
    ) -> None:
        """Raises ImportError without numba. The first step compiles: seconds, once a machine."""
        self._step, self._type, widths = _compiled(), network.dtype.type, network.widths
        A, D = (tuple(np.zeros((batch_size, n), self._type) for n in widths) for _ in "AD")
        self._X, self._y = A[0], np.zeros(batch_size, np.int64)
        kinds = tuple(KINDS.index(layer.activation) for layer in network.layers)
        off = label_smoothing / widths[-1]
        targets = 1 - label_smoothing + off, off, loss == LOSSES[0]
        self._rest = tuple(network.W), tuple(network.b), A, D, kinds, *targets

    def __call__(self, X: Float[Array, "N n"], y: Int[Array, " N"], learning_rate: float) -> float:
        """Moves the parameters one step, or not at all if the loss is not finite; the mean loss."""
        np.copyto(self._X[: len(y)], X)
        np.copyto(self._y[: len(y)], y)
        loss: float = self._step(self._y[: len(y)], self._type(-learning_rate), *self._rest)
        return loss


@cache
def _compiled() -> Any:
    try:
        from numba import njit
    except ImportError:
        raise ImportError("numba is missing: pip install 'chainrule[compiled]'") from None
    # Sums may be reordered into vectors, but nan stays nan: divergence is seen by it.
    settings: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}
    for part in (_forward, _measure, _backward):
        globals()[part.__name__] = njit(**settings)(part)
    return njit(cache=True, nogil=True, **settings)(_step)


@no_type_check
def _step(y, r, W, b, A, D, kinds, on, off, softmax):
    N, last = len(y), len(W) - 1
    for k in range(last + 1):
        _forward(A[k][:N], W[k], b[k], A[k + 1], kinds[k])
    loss = _measure(A[last + 1][:N], y, D[last + 1], on, off, softmax)
    if isfinite(loss):
        for k in range(last, -1, -1):
            kind = kinds[k - 1] if k else 0
            _backward(A[k][:N], W[k], b[k], D[k + 1], D[k], kind, r)
    return loss


@no_type_check
def _forward(A, W, b, Z, kind):
    """Row j of W is fetched once, for all examples whose input j is not 0."""
    for i in range(len(A)):
        for k in range(len(b)):
            Z[i, k] = b[k]
    for j in range(len(W)):
        for i in range(len(A)):
            a = A[i, j]
            if a != 0:
                for k in range(len(b)):
                    Z[i, k] += a * W[j, k]
    for i in range(len(A) if kind else 0):
        for k in range(len(b)):
            a = Z[i, k]
            Z[i, k] = 1 / (1 + exp(-a)) if kind == 1 else tanh(a) if kind == 2 else max(a, 0 * a)


@no_type_check
def _measure(Z, y, D, on, off, softmax):
    N, loss = len(Z), 0.0
    for i in range(N):
        top, powers = np.float64(Z[i].max()), 0.0
        for k in range(len(Z[i])):
            powers += exp(Z[i, k] - top)
        for k in range(len(Z[i])):
            z, target = np.float64(Z[i, k]), on if k == y[i] else off
            if softmax:
                p = exp(z - top) / powers
                loss -= target * (z - top - log(powers))
            else:
                e = exp(-abs(z))
                p = (e if z < 0 else 1.0) / (1.0 + e)
                loss += (0.0 if z < 0 else z) - target * z + log1p(e)
            D[i, k] = (p - target) / N
    return loss / N


@no_type_check
def _backward(A, W, b, D, dA, kind, r):
    """Each row of W is used for dA, and then moved, while it is in the cache; r is -rate."""
    for j in range(len(W)):
        for i in range(len(A) if kind else 0):
            a, total = A[i, j], b.dtype.type(0)
            for k in range(len(b)):
                total += D[i, k] * W[j, k]
            slope = a * (1 - a) if kind == 1 else 1 - a * a if kind == 2 else 1.0 if a > 0 else 0.0
            dA[i, j] = total * slope
        for i in range(len(A)):
            a = r * A[i, j]
            if a != 0:
                for k in range(len(b)):
                    W[j, k] += a * D[i, k]
    for i in range(len(A)):
        for k in range(len(b)):
            b[k] += r * D[i, k]

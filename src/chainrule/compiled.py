"""One training step as a single function in machine code, for batches too small for NumPy.

An extra, by numba. MEASURED
An input that is zero takes no part, neither forward nor in the update of its row of weights: 81 %
of MNIST's pixels are. The update goes straight into the weights, without a gradient in memory.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from math import exp, isfinite, log, log1p, tanh
from typing import Any, no_type_check

import numpy as np

from chainrule.arrays import Array, Float, Int, aligned_zeros
from chainrule.network import Network
from chainrule.optimizers import SGD, Optimizer

LOSSES = ("softmax-cross-entropy", "sigmoid-cross-entropy")
KINDS = ("identity", "sigmoid", "tanh", "relu")
"""The activations, each known to the machine code by its place here."""


def supports(network: Network, loss_name: str, optimizer: Optimizer) -> bool:
    """Whether a CompiledStep takes the same step as these three: SGD plain, outputs logits."""
    *hidden, output = (layer.activation for layer in network.layers)
    plain = type(optimizer) is SGD and not (optimizer.momentum or optimizer.weight_decay)
    known = loss_name in LOSSES and set(hidden) <= set(KINDS[1:])
    return plain and known and output == "identity"


class CompiledStep:
    """Steps of plain SGD on batches of at most `batch_size` rows, with the memory they need."""

    def __init__(
        self, network: Network, *, loss: str, label_smoothing: float, batch_size: int
    ) -> None:
        """Raises ImportError without numba. The first step compiles: seconds, once a machine."""
        self._step = compiled()
        self._parameters = P = network.parameters
        rows = -(-batch_size // 4) * 4
        starts = [rows * units for units in accumulate(network.widths, initial=0)]
        self._activations, self._deltas = (aligned_zeros(starts[-1], P.dtype) for _ in range(2))
        self._X = self._activations[: starts[1]].reshape(rows, -1)
        self._y = np.zeros(rows, np.int64)
        layers = zip(network.layers, network.W, network.b, starts[:-2], starts[1:-1], strict=True)
        self._layers = np.array(
            [
                [layer.fan_in, layer.fan_out]
                + [(part.ctypes.data - P.ctypes.data) // P.itemsize for part in (W, b)]
                + [before, after, KINDS.index(layer.activation)]
                for layer, W, b, before, after in layers
            ]
        )
        most = max(rows, *network.widths) + 3
        self._used, self._values = np.zeros(most, np.int64), np.zeros(most, P.dtype)
        off = label_smoothing / network.widths[-1]
        self._loss = 1 - label_smoothing + off, off, loss == LOSSES[0]

    def __call__(self, X: Float[Array, "N n"], y: Int[Array, " N"], learning_rate: float) -> float:
        """Moves the network's parameters one step; returns the mean loss before it.

        If the loss is not finite, nothing is moved.
        """
        np.copyto(self._X[: len(y)], X)
        np.copyto(self._y[: len(y)], y)
        loss: float = self._step(
            *(self._y[: len(y)], float(learning_rate), self._parameters, self._layers),
            *(self._activations, self._deltas, self._used, self._values, *self._loss),
        )
        return loss


@cache
def compiled() -> Any:
    """The function `step` below in machine code."""
    try:
        from numba import njit
    except ImportError:
        raise ImportError(
            "numba is not installed, which compiles the step: pip install 'chainrule[compiled]'"
        ) from None
    # "reassoc" lets sums be vectors; nothing that assumes away nan, by which divergence is seen.
    settings = {"error_model": "numpy", "fastmath": {"contract", "reassoc"}}
    for part in (add_four, nonzero, forward, measure, backward, differentiate):
        globals()[part.__name__] = njit(forceinline=part is add_four, **settings)(part)
    return njit(cache=True, nogil=True, **settings)(step)


@no_type_check
def step(y, rate, P, layers, As, Ds, used, values, on, off, softmax):
    N, rows, last = len(y), (len(y) + 3) // 4 * 4, len(layers) - 1
    for at in range(last + 1):
        n, m, w, c, before, after, kind = layers[at]
        A, Z = As[before : before + N * n].reshape(N, n), As[after : after + N * m].reshape(N, m)
        forward(A, P[w : w + n * m].reshape(n, m), P[c : c + m], Z, kind, used, values)
    loss = measure(Z, y, Ds[after : after + N * m].reshape(N, m), on, off, softmax)
    if isfinite(loss):
        for at in range(last, -1, -1):
            n, m, w, c, before, after, _ = layers[at]
            A, W = As[before : before + N * n].reshape(N, n), P[w : w + n * m].reshape(n, m)
            D = Ds[after : after + rows * m].reshape(rows, m)
            dA = Ds[before : before + rows * n].reshape(rows, n)
            backward(A, W, P[c : c + m], D, dA, P.dtype.type(rate), at > 0, used, values)
            if at:
                differentiate(As[before : before + N * n], dA.ravel(), layers[at - 1, 6])
    return loss


@no_type_check
def add_four(total, a, b, c, d, s, t, u, v):
    for k in range(len(total)):
        total[k] += s * a[k] + t * b[k] + u * c[k] + v * d[k]


@no_type_check
def nonzero(a, used, values):
    """Where a is not zero, and its values there, filled up with zeros to a multiple of four."""
    n = 0
    for j in range(len(a)):
        used[n], values[n] = j, a[j]
        n += a[j] != 0
    for j in range(n, n + 3):
        used[j], values[j] = 0, 0
    return n


@no_type_check
def forward(A, W, b, Z, kind, used, values):
    one = b.dtype.type(1)
    for i in range(len(A)):
        z = Z[i]
        z[:] = b
        for s in range(0, nonzero(A[i], used, values), 4):
            u, v = used[s : s + 4], values[s : s + 4]
            add_four(z, W[u[0]], W[u[1]], W[u[2]], W[u[3]], v[0], v[1], v[2], v[3])
        if kind == 1:
            for k in range(len(z)):
                z[k] = one / (one + exp(-z[k]))
        elif kind == 2:
            for k in range(len(z)):
                z[k] = tanh(z[k])
        elif kind == 3:
            for k in range(len(z)):
                z[k] = 0 if z[k] < 0 else z[k]


@no_type_check
def measure(Z, y, D, on, off, softmax):
    N, K = Z.shape
    total = 0.0
    for i in range(N):
        top = np.float64(Z[i, 0])
        for k in range(1, K):
            top = max(top, np.float64(Z[i, k]))
        powers = 0.0
        for k in range(K):
            powers += exp(Z[i, k] - top)
        for k in range(K):
            z, target = np.float64(Z[i, k]), on if k == y[i] else off
            if softmax:
                p = exp(z - top) / powers
                total -= target * (z - top - log(powers))
            else:
                e = exp(-abs(z))
                p = (e if z < 0 else 1.0) / (1.0 + e)
                total += (0.0 if z < 0 else z) - target * z + log1p(e)
            D[i, k] = (p - target) / N
    return total / N


@no_type_check
def backward(A, W, b, D, dA, rate, deep, used, values):
    zero = rate - rate
    for j in range(len(W)):
        w = W[j]
        if deep:
            for i in range(0, len(D), 4):
                d0, d1, d2, d3 = D[i], D[i + 1], D[i + 2], D[i + 3]
                s0, s1, s2, s3 = zero, zero, zero, zero
                for k in range(len(w)):
                    s0 += d0[k] * w[k]
                    s1 += d1[k] * w[k]
                    s2 += d2[k] * w[k]
                    s3 += d3[k] * w[k]
                dA[i, j], dA[i + 1, j], dA[i + 2, j], dA[i + 3, j] = s0, s1, s2, s3
        for s in range(0, nonzero(A[:, j], used, values), 4):
            u, v = used[s : s + 4], values[s : s + 4]
            r = -rate
            add_four(w, D[u[0]], D[u[1]], D[u[2]], D[u[3]], r * v[0], r * v[1], r * v[2], r * v[3])
    for i in range(len(A)):
        for k in range(len(b)):
            b[k] -= rate * D[i, k]


@no_type_check
def differentiate(A, D, kind):
    one = A.dtype.type(1)
    for i in range(len(A)):
        if kind == 1:
            D[i] *= A[i] * (one - A[i])
        elif kind == 2:
            D[i] *= one - A[i] * A[i]
        elif not A[i] > 0:
            D[i] = 0

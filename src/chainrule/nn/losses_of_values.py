"""Losses of values: regression, and counts.

Like all losses they return their value, a mean, and its true gradient w.r.t. the network's outputs,
derived in docs/derivation.md, section 4. A Poisson mean is the exponential of the output, so it
overflows where a network diverges: training then stops.
"""

from __future__ import annotations

from math import inf

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.nn.loss_buffers import Buffers, Weights, checked, total, weighed
from chainrule.nn.targets import as_matrix

ANY = (-inf, inf)
COUNTS = (0.0, inf)
"""The lowest and the highest value: of the squared error, of the Poisson deviance."""


def squared_error(
    outputs: Float[Array, "N K"],
    values: Float[Array, "N K"],
    buffers: Buffers | None = None,
    *,
    weights: Weights = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Half squared error, mean over all N K entries, and (output - value) / (N K).

    The value is that of scikit-learn's MLPRegressor, which steps along K times its gradient.
    """
    b = buffers or checked(outputs, values, weights, labels=False, values=ANY)
    np.subtract(outputs, as_matrix(values, label_smoothing, out=b.targets), out=b.dlogits)
    np.multiply(b.dlogits, b.dlogits, out=b.scratch)
    entries = weighed(weights, b.scratch, b.dlogits) * outputs.shape[1]
    return total(b.scratch) / (2 * entries), np.divide(b.dlogits, entries, out=b.dlogits)


def poisson(
    logits: Float[Array, "N K"],
    values: Float[Array, "N K"],
    buffers: Buffers | None = None,
    *,
    weights: Weights = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Half Poisson deviance: sum over K outputs, mean over the batch; (exp(z) - value) / N.

    For counts, and other values from 0 up, whose mean is exp(z). One output costs
    exp(z) - v + v log(v / exp(z)), 0 where the mean is the value, as in scikit-learn.
    """
    b = buffers or checked(logits, values, weights, labels=False, values=COUNTS)
    V = as_matrix(values, label_smoothing, out=b.targets)
    # Of d = z - log v, a loss of v (exp(d) - 1 - d) keeps its digits where the mean is almost v.
    none = np.equal(V, 0, out=b.more)  # 1 where v = 0: there the loss is exp(z)
    np.add(V, none, out=b.scratch)
    np.log(b.scratch, out=b.dlogits)
    np.subtract(logits, b.dlogits, out=b.dlogits)  # d, or z
    np.multiply(V, b.dlogits, out=V)
    np.expm1(b.dlogits, out=b.dlogits)
    np.multiply(b.dlogits, b.scratch, out=b.dlogits)
    np.add(b.dlogits, none, out=b.dlogits)  # exp(z) - v
    np.subtract(b.dlogits, V, out=b.scratch)
    divisor = weighed(weights, b.scratch, b.dlogits)
    return total(b.scratch) / divisor, np.divide(b.dlogits, divisor, out=b.dlogits)

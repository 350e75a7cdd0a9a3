"""JAX: one jitted call an epoch, its steps inside lax.scan, the parameter buffers donated."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.speed.peers.weights import first_weights
from benchmarks.speed.work import Data, Task, Work, seconds

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Array: TypeAlias = Any
"""A jax.Array: its methods are only partly typed."""


def train(work: Work, data: Data, threads: int) -> Task:
    """One epoch over data.X; T5: ten iterations, seconds of one."""
    del threads  # XLA makes as many threads as the process has cores to run on.
    X, y = jnp.asarray(data.X), jnp.asarray(data.y, jnp.int32)
    examples, size = len(X), work.batch_size or len(X)
    whole = examples // size * size
    optimizer_step = {"sgd": _sgd, "adam": _adam}[work.optimizer]

    def step(state: Any, X: Array, y: Array) -> tuple[Any, Array]:
        loss, gradient = jax.value_and_grad(partial(_loss, work))(state[0], X, y)
        return optimizer_step(state, gradient, work.learning_rate), loss

    @partial(jax.jit, donate_argnums=0)
    def epoch(state: Any, key: Array, X: Array, y: Array) -> tuple[Any, Any, Any]:
        key, draw = jax.random.split(key)
        order = jax.random.permutation(draw, examples) if work.shuffle else jnp.arange(examples)

        def batch(start: Any, count: int) -> tuple[Array, ...]:
            cut = partial(jax.lax.dynamic_slice_in_dim, start_index=start, slice_size=count)
            if not work.shuffle:
                return cut(X), cut(y)
            # As quick here as gathering all images before the scan; the rows are in bounds.
            rows = cut(order)
            return tuple(A.at[rows].get(mode="promise_in_bounds") for A in (X, y))

        starts = jnp.arange(0, whole, size)
        state, losses = jax.lax.scan(lambda s, i: step(s, *batch(i, size)), state, starts)
        total = losses.sum()
        if whole < examples:
            state, loss = step(state, *batch(whole, examples - whole))
            total += loss
        return state, key, total

    parameters = [(jnp.array(W), jnp.array(b)) for W, b in first_weights(work)]
    zeros = partial(jax.tree.map, jnp.zeros_like, parameters)
    slots = (zeros(), zeros(), jnp.float32(0)) if work.optimizer == "adam" else ()
    state, key = (parameters, slots), jax.random.key(0)

    def run_epoch() -> None:
        nonlocal state, key
        state, key, total = epoch(state, key, X, y)
        total.block_until_ready()  # with it the state: one call computes both

    def accuracy() -> float:
        logits = _forward(work, state[0], jnp.asarray(data.X_test))
        return float(np.mean(np.asarray(logits).argmax(axis=1) == data.y_test))

    return Task(lambda: seconds(run_epoch, 1 if work.batch_size else 10), accuracy)


def _forward(work: Work, parameters: Any, A: Array) -> Array:
    activation = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}[work.activation]
    for W, b in parameters[:-1]:
        A = activation(A @ W + b)
    W, b = parameters[-1]
    return A @ W + b


def _loss(work: Work, parameters: Any, X: Array, y: Array) -> Array:
    Z = _forward(work, parameters, X)
    T = jax.nn.one_hot(y, work.widths[-1])
    if work.loss == "sigmoid-cross-entropy":
        return jnp.sum(jax.nn.softplus(Z) - Z * T) / len(Z)
    return -jnp.sum(jax.nn.log_softmax(Z) * T) / len(Z)


def _sgd(state: Any, gradient: Any, rate: float) -> Any:
    parameters, slots = state
    return jax.tree.map(lambda p, g: p - rate * g, parameters, gradient), slots


def _adam(state: Any, gradient: Any, rate: float) -> Any:
    """Kingma and Ba 2015, algorithm 1."""
    parameters, (m, v, t) = state
    t += 1
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, gradient)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, gradient)

    def moved(p: Array, m: Array, v: Array) -> Array:
        return p - rate * (m / (1 - BETA1**t)) / (jnp.sqrt(v / (1 - BETA2**t)) + EPSILON)

    return jax.tree.map(moved, parameters, m, v), (m, v, t)

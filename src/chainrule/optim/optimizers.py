"""Optimizers: SGD, momentum, Nesterov, RMSProp, Adam, AdamW.

An optimizer sees one flat vector of parameters and one of gradients; it knows nothing of layers.
`step(parameters, gradient, learning_rate)` updates the parameters in place. Its memory between
steps is `state`, flat vectors by name. Update rules: docs/derivation.md, section 7. Each step
walks through the vectors in chunks that stay in the processor's cache, and allocates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import sqrt
from typing import Any, ClassVar, Protocol, TypeAlias, no_type_check, runtime_checkable

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.copies import Rebuilt
from chainrule.core.jit import machine_code
from chainrule.core.tables import Table
from chainrule.core.threads import SERIAL, ThreadTeam

CHUNK = 65_536
"""Elements per pass: four float32 vectors of this length fit into 1 MiB of L2 cache."""

FLUSH_EVERY = 50
"""Steps between two searches for denormal numbers, see `flush`."""

TINY = 1e-30
"""Far above the float32 denormals, 1e-38, and too small to move any parameter."""

Vector: TypeAlias = Float[Array, " P"]


@runtime_checkable
class Optimizer(Protocol):
    """Interface of an optimizer, as training uses it."""

    state: dict[str, Vector]
    steps: int

    def step(
        self, parameters: Vector, gradient: Vector, learning_rate: float, team: ThreadTeam = SERIAL
    ) -> None:
        """Moves `parameters` downhill, in place, on the threads of the team."""
        ...


class _Stepper(Rebuilt):
    """Base of all optimizers: named state vectors, step count, chunks, decoupled weight decay.

    The decay of Loshchilov and Hutter 2019 shrinks the first `decayed` entries by
    lr * weight_decay at each step: a network's weights come first, its biases after them.
    """

    slots: tuple[str, ...] = ()
    derived: ClassVar[tuple[str, ...]] = ("_scratch",)

    def __init__(self, size: int, dtype: Any, weight_decay: float, decayed: int | None) -> None:
        self.state: dict[str, Vector] = {slot: np.zeros(size, dtype) for slot in self.slots}
        self.steps = 0
        self.weight_decay = weight_decay
        self.decayed = size if decayed is None else decayed
        self.size = size
        self.dtype = np.dtype(dtype)
        self._derive()

    def _derive(self) -> None:
        """Makes the scratch memory of one worker."""
        self._scratch = np.zeros((1, min(self.size, CHUNK)), self.dtype)

    def step(
        self, parameters: Vector, gradient: Vector, learning_rate: float, team: ThreadTeam = SERIAL
    ) -> None:
        """Moves `parameters` downhill, in place; the same bits for any team."""
        self.steps += 1
        if len(self._scratch) < team.size:
            self._scratch = np.zeros((team.size, self._scratch.shape[1]), parameters.dtype)

        def update(worker: int, parts: Sequence[slice]) -> None:
            for part in parts:
                theta, scratch = parameters[part], self._scratch[worker]
                if self.weight_decay:
                    weights = theta[: max(self.decayed - part.start, 0)]
                    np.multiply(weights, 1 - learning_rate * self.weight_decay, out=weights)
                self._update(theta, gradient[part], learning_rate, part, scratch[: theta.size])
                if self.steps % FLUSH_EVERY == 0:
                    for state in self.state.values():
                        flush(state[part], scratch[: theta.size])

        team.share(chunks(parameters.size), update)

    def _update(
        self, theta: Vector, g: Vector, learning_rate: float, part: slice, scratch: Vector
    ) -> None:
        raise AssertionError("each optimizer has its own update")


class SGD(_Stepper):
    """Stochastic gradient descent, w -= lr g; with momentum m: v = m v + g, w -= lr v.

    Nesterov momentum looks ahead: w -= lr (g + m v). Both after Sutskever et al. 2013, with the
    learning rate outside the velocity, as in PyTorch.
    """

    def __init__(
        self,
        size: int,
        dtype: Any = np.float32,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        decayed: int | None = None,
    ) -> None:
        if momentum:
            self.slots = ("velocity",)
        super().__init__(size, dtype, weight_decay, decayed)
        self.momentum = momentum
        self.nesterov = nesterov

    def _update(
        self, theta: Vector, g: Vector, learning_rate: float, part: slice, scratch: Vector
    ) -> None:
        direction = g
        if self.momentum:
            velocity = direction = self.state["velocity"][part]
            np.multiply(velocity, self.momentum, out=velocity)
            np.add(velocity, g, out=velocity)
            if self.nesterov:
                np.multiply(velocity, self.momentum, out=scratch)
                direction = np.add(scratch, g, out=scratch)
        np.multiply(direction, learning_rate, out=scratch)
        np.subtract(theta, scratch, out=theta)


class RMSProp(_Stepper):
    """RMSProp: divides by a running RMS of the gradient (Hinton, Coursera lecture 6e, 2012)."""

    slots = ("squares",)

    def __init__(
        self,
        size: int,
        dtype: Any = np.float32,
        *,
        decay: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decayed: int | None = None,
    ) -> None:
        super().__init__(size, dtype, weight_decay, decayed)
        self.decay = decay
        self.epsilon = epsilon

    def _update(
        self, theta: Vector, g: Vector, learning_rate: float, part: slice, scratch: Vector
    ) -> None:
        squares = self.state["squares"][part]
        _fading_sum_of_squares(squares, g, self.decay, scratch)
        factor = sqrt(1 - self.decay)
        np.sqrt(squares, out=scratch)
        np.add(scratch, self.epsilon / factor, out=scratch)
        np.divide(g, scratch, out=scratch)
        np.multiply(scratch, learning_rate / factor, out=scratch)
        np.subtract(theta, scratch, out=theta)


class Adam(_Stepper):
    """Adam (Kingma and Ba 2015, algorithm 1); with `weight_decay`, AdamW.

    m and v are stored without their factors 1 - beta, which saves two of twelve passes.
    """

    slots = ("m", "v")
    derived = ("_scratch", "_loop")
    compiled = False

    def __init__(
        self,
        size: int,
        dtype: Any = np.float32,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decayed: int | None = None,
    ) -> None:
        super().__init__(size, dtype, weight_decay, decayed)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def _derive(self) -> None:
        """Makes the scratch memory, and the compiled loop where there was one."""
        super()._derive()
        self._loop: Callable[..., None] | None = _adam_loop() if self.compiled else None

    def compile(self) -> None:
        """Compiles the update into one loop; raises ImportError without numba.

        669,706 parameters on one core: 0.9 ms instead of 2.5.
        """
        self._loop, self.compiled = _adam_loop(), True

    def _update(
        self, theta: Vector, g: Vector, learning_rate: float, part: slice, scratch: Vector
    ) -> None:
        m, v = self.state["m"][part], self.state["v"][part]
        # c m and d^2 v are the bias-corrected moments: two scalars absorb every constant.
        c = (1 - self.beta1) / (1 - self.beta1**self.steps)
        d = sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        epsilon, rate = self.epsilon / d, learning_rate * c / d
        if self._loop:
            self._loop(theta, g, m, v, *map(g.dtype.type, (self.beta1, self.beta2, epsilon, rate)))
            return
        np.multiply(m, self.beta1, out=m)
        np.add(m, g, out=m)
        _fading_sum_of_squares(v, g, self.beta2, scratch)
        np.sqrt(v, out=scratch)
        np.add(scratch, epsilon, out=scratch)
        np.divide(m, scratch, out=scratch)
        np.multiply(scratch, rate, out=scratch)
        np.subtract(theta, scratch, out=theta)


@cache
def _adam_loop() -> Callable[..., None]:
    return machine_code(_adam)


@no_type_check
def _adam(theta, g, m, v, beta1, beta2, epsilon, rate):
    for k in range(len(theta)):
        m_k = beta1 * m[k] + g[k]
        v_k = beta2 * v[k] + g[k] * g[k]
        theta[k] -= rate * m_k / (sqrt(v_k) + epsilon)
        m[k], v[k] = m_k, v_k


def flush(state: Vector, scratch: Vector) -> None:
    """Flushes denormals: sets entries of `state` below TINY to zero, in place.

    For a pixel that is black in nearly all images, a moment decays by a constant factor at each
    step and gets stuck at a denormal: 0.9 times the smallest one rounds up to itself. Arithmetic
    on denormals takes 50 times as long.
    """
    np.abs(state, out=scratch)
    np.greater(scratch, TINY, out=scratch)
    np.multiply(state, scratch, out=state)


@cache
def chunks(size: int) -> tuple[slice, ...]:
    """Slices of at most CHUNK elements that cover 0..size-1 in order."""
    return tuple(slice(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))


def _fading_sum_of_squares(total: Vector, g: Vector, beta: float, scratch: Vector) -> None:
    """total = beta * total + g^2: the running mean of squares without its factor 1 - beta."""
    np.multiply(total, beta, out=total)
    np.square(g, out=scratch)  # in half the time of np.multiply(g, g)
    np.add(total, scratch, out=total)


OPTIMIZERS: Table[Callable[..., Optimizer]] = Table(
    "optimizer",
    {
        "sgd": SGD,
        "momentum": partial(SGD, momentum=0.9),
        "nesterov": partial(SGD, momentum=0.9, nesterov=True),
        "rmsprop": RMSProp,
        "adam": Adam,
        "adamw": partial(Adam, weight_decay=0.01),
    },
)
"""name -> (size, dtype, *, weight_decay, decayed, ...) -> Optimizer"""

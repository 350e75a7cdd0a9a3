"""Each mistake of the derivation's section 9 is made in the package, and a check must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.data.augment import Distorter
from chainrule.nn import batch_norm, losses
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.dropout import Dropout
from chainrule.nn.gradient_check import gradcheck
from chainrule.nn.linear import Linear
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network, Workspace
from chainrule.optim import clipping
from chainrule.optim.ema import EMA, EVERY
from chainrule.optim.optimizers import Adam
from helpers.derivation import DOCUMENT, body, run

Plant = Callable[[pytest.MonkeyPatch], None]


def scalar_bias(patch: pytest.MonkeyPatch) -> None:
    original = Network.backward

    def backward(self: Network, dlogits: Array, workspace: Workspace) -> Array:
        original(self, dlogits, workspace)
        for db in workspace.db:
            db[...] = db.sum()
        return workspace.gradient

    patch.setattr(Network, "backward", backward)


def missing_transpose(patch: pytest.MonkeyPatch) -> None:
    original = Linear.backward

    def backward(self: Linear, dZ: Array, memory: Any) -> Array:
        kept, self.W = self.W, self.W.T if self.W.shape[0] == self.W.shape[1] else self.W
        result = original(self, dZ, memory)
        self.W = kept
        return result

    patch.setattr(Linear, "backward", backward)


def activation(
    name: str,
    *,
    A: Callable[[Array], Array] | None = None,
    dZ: Callable[[Array, Array], Array] | None = None,
) -> Plant:
    """Replaces A(Z), or dZ(dA, A), of one row of the table."""

    def forward(Z: Array, out: Array) -> Array:
        with np.errstate(invalid="ignore"):  # nan is to reach the check
            np.copyto(out, A(Z) if A else 0)
        return out

    def backward(dA: Array, Z: Array, A: Array, out: Array, scratch: Array) -> Array:
        np.copyto(out, dZ(dA, A) if dZ else 0)
        return out

    row = ACTIVATIONS[name]
    wrong = replace(row, forward=forward) if A else replace(row, backward=backward)
    return lambda patch: patch.setitem(ACTIVATIONS, name, wrong)


def cross_entropy(spoil: Callable[[Array, float, Array], tuple[float, Array]]) -> Plant:
    """Replaces softmax cross-entropy by spoil(logits, loss, dlogits)."""
    row = LOSSES["softmax-cross-entropy"]

    def function(
        logits: Array, labels: Array, buffers: object = None, *, label_smoothing: float = 0.0
    ) -> tuple[float, Array]:
        right = row.function(logits, labels, label_smoothing=label_smoothing)
        return spoil(logits, *right)

    wrong = replace(row, function=function)
    return lambda patch: patch.setitem(LOSSES, "softmax-cross-entropy", wrong)


def logarithm_last(logits: Array, loss: float, dlogits: Array) -> tuple[float, Array]:
    P = ACTIVATIONS["softmax"].forward(logits, np.empty_like(logits))
    return (loss if P.all() else np.inf), dlogits


def penalty_without_value(patch: pytest.MonkeyPatch) -> None:
    original = losses.l2_penalty
    patch.setattr(losses, "l2_penalty", lambda *arguments: original(*arguments) * 0)


def adam_without_correction(patch: pytest.MonkeyPatch) -> None:
    original = Adam.step

    def step(self: Adam, parameters: Array, gradient: Array, learning_rate: float) -> None:
        self.steps = 10**6  # so late that both corrections are 1
        original(self, parameters, gradient, learning_rate)

    patch.setattr(Adam, "step", step)


def shifted_by(maximum: Callable[[Array], float]) -> Plant:
    def A(Z: Array) -> Array:
        with np.errstate(over="ignore"):
            E: Array = np.exp(Z - np.float32(maximum(Z)))
        E /= E.sum(axis=1, keepdims=True)
        return E

    return activation("softmax", A=A)


def fixed_statistics(patch: pytest.MonkeyPatch) -> None:
    def backward(self: BatchNorm, dZ: Array, memory: Any) -> Array:
        np.einsum("nj->j", dZ, out=memory.db)
        np.einsum("nj,nj->j", dZ, memory.V, out=memory.dgamma)
        return np.multiply(dZ, self.gamma / memory.sigma, out=memory.dU)

    patch.setattr(BatchNorm, "backward", backward)


def statistics_of_the_question(patch: pytest.MonkeyPatch) -> None:
    original = Network.forward

    def forward(
        self: Network, X: Array, workspace: Workspace, rng: np.random.Generator | None = None
    ) -> Array:
        return original(self, X, workspace, rng or np.random.default_rng(0))

    patch.setattr(Network, "forward", forward)


def biased_variance(patch: pytest.MonkeyPatch) -> None:
    original, endless = batch_norm.update_running, 10**9

    def update_running(running: Array, batch: Array, rows: int, momentum: float) -> None:
        original(running, batch, endless, momentum)

    patch.setattr(batch_norm, "update_running", update_running)


def unscaled_dropout(patch: pytest.MonkeyPatch) -> None:
    original = Dropout.forward

    def forward(self: Dropout, A: Array, memory: Any, rng: np.random.Generator | None) -> Array:
        result = original(self, A, memory, rng)
        if rng is None:
            return result
        memory.mask *= 1 - self.p
        return np.multiply(A, memory.mask, out=memory.out)

    patch.setattr(Dropout, "forward", forward)


def fresh_mask(patch: pytest.MonkeyPatch) -> None:
    original = Dropout.backward

    def backward(self: Dropout, dA: Array, memory: Any) -> Array:
        memory.mask[...] = np.roll(memory.mask, 1, axis=0)
        return original(self, dA, memory)

    patch.setattr(Dropout, "backward", backward)


def shortened_rows(patch: pytest.MonkeyPatch) -> None:
    original = clipping.shorten_columns
    patch.setattr(clipping, "shorten_columns", lambda W, max_norm: original(W.T, max_norm))


def full_decay_at_once(patch: pytest.MonkeyPatch) -> None:
    def update(self: EMA, step: int) -> None:
        if step % EVERY == 0:
            self.average += (1 - self.decay) * (self.weights - self.average)

    patch.setattr(EMA, "update", update)


def turned_about_the_corner(patch: pytest.MonkeyPatch) -> None:
    original = Distorter.coefficients

    def coefficients(self: Distorter, N: int, rng: np.random.Generator) -> Array:
        C: Array = original(self, N, rng)
        to_corner = self.basis[-3:, 0]  # 1, x, y: the first pixel, seen from the centre
        for axis, side in enumerate(self.shape):
            C[axis, :, -3] = -(C[axis, :, -2:] @ to_corner[1:]) + C[axis, :, -3] - (side - 1) / 2
        return C

    patch.setattr(Distorter, "coefficients", coefficients)


PLANTED: dict[str, tuple[int, Plant]] = {
    "`db` is one number": (2, scalar_bias),
    "`dZ @ W` for `dZ @ W.T`": (2, missing_transpose),
    "taken at `A`": (3, activation("sigmoid", dZ=lambda dA, A: dA / (2 + 2 * np.cosh(A)))),
    "softmax derived element": (3, activation("softmax", dZ=lambda dA, A: dA * A * (1 - A))),
    "ReLU's derivative": (3, activation("relu", dZ=lambda dA, A: dA * np.greater(A, 0, out=A))),
    "target minus probability": (4, cross_entropy(lambda logits, loss, dZ: (loss, -dZ))),
    "no 1/N": (4, cross_entropy(lambda logits, loss, dZ: (loss, len(dZ) * dZ))),
    "logarithm after": (4, cross_entropy(logarithm_last)),
    "without a shift": (9, shifted_by(lambda Z: 0.0)),
    "largest logit of the *batch*": (9, shifted_by(lambda Z: float(Z.max()))),
    "as it stands": (9, activation("sigmoid", A=lambda Z: 1 / (1 + np.exp(-Z)))),
    "the penalty in the gradient": (5, penalty_without_value),
    "Adam without bias correction": (7, adam_without_correction),
    "taken as fixed": (10, fixed_statistics),
    "normalised by the batch": (10, statistics_of_the_question),
    "running variance": (10, biased_variance),
    "dropout without": (11, unscaled_dropout),
    "a fresh mask": (11, fresh_mask),
    "by rows of `W`": (12, shortened_rows),
    "full decay": (12, full_decay_at_once),
    "about their corner": (13, turned_about_the_corner),
}
"""Words of the table's row -> (the section whose check goes red, the mistake)."""


def gradients_agree() -> bool:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3, 2)), np.array([0, 2, 1])
    hidden = Network.dense([2, 3, 3, 3], "sigmoid", rng=rng)
    output = Network.dense([2, 3], rng=rng, output="softmax")
    trained = Network.dense([2, 4, 4, 3], "sigmoid", rng=rng, batch_norm=True, dropout=0.3)
    return (
        gradcheck(hidden, X, y).ok
        and gradcheck(output, X, y, "mean-squared-error").ok
        and gradcheck(trained, rng.normal(size=(12, 2)), np.tile(y, 4)).ok
    )


def test_gradients_agree_while_nothing_is_planted() -> None:
    assert gradients_agree()


@pytest.mark.parametrize("words", PLANTED)
def test_a_planted_mistake_turns_the_check_red(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [line for line in body(9).splitlines() if line.startswith("|") and "planted" in line]
    assert len(rows) == len(PLANTED)
    (row,) = [row for row in rows if words in row.split("|")[1]]
    section, plant = PLANTED[words]
    assert f"section {section}" in row.split("|")[-2]
    plant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, FloatingPointError)) as caught:
        run(section)
    assert any(Path(entry.path) == DOCUMENT for entry in caught.traceback)
    assert gradients_agree() == ("`gradcheck`" not in row.split("|")[-2])

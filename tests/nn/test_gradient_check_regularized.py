"""The gradient check of layers that train otherwise than they predict: it passes, and it can fail.

Twelve rows: a unit's sums then differ enough for the fourth-order differences of the check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.batch_norm import BatchNorm, BatchNormMemory
from chainrule.nn.dropout import Dropout
from chainrule.nn.gradient_check import TOLERANCE, gradcheck
from chainrule.nn.linear import Linear
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network, Workspace
from helpers.chain import memory_of
from helpers.losses import OF_LABELS
from nn.test_gradient_check import ORIGINAL, assert_right

Settings = dict[str, Any]

LAYERS: dict[str, Settings] = {
    "batch norm": {"batch_norm": True},
    "dropout": {"dropout": 0.3, "input_dropout": 0.2},
    "noise": {"noise": 0.3, "input_noise": 0.2},
}
LAYERS["all"] = {name: value for settings in LAYERS.values() for name, value in settings.items()}

PENALTIES: dict[str, Settings] = {
    "label smoothing": {"label_smoothing": 0.1},
    "l2": {"l2": 0.01},
}
BOTH: Settings = {"label_smoothing": 0.1, "l2": 0.01}


def example(
    activation: str = "tanh",
    layers: str = "all",
    loss: str = "softmax-cross-entropy",
    *,
    widths: tuple[int, ...] = (4, 3, 3, 3),
) -> tuple[Network, Array, Array]:
    """(a float64 network with biases and gammas, X, y)"""
    rng = np.random.default_rng(8)
    network = Network.dense(
        widths, activation, rng=rng, output=LOSSES[loss].output, dtype=np.float64, **LAYERS[layers]
    )
    for b, gamma in zip(network.b, network.gamma, strict=True):
        b[...] = rng.normal(0, 0.5, b.shape)
        gamma[...] = rng.normal(1, 0.3, gamma.shape)
    return network, rng.normal(size=(12, widths[0])), rng.integers(0, widths[-1], 12)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_with_every_layer_and_penalty_has_the_right_gradient(
    activation: str, layers: str, penalty: str
) -> None:
    network, X, y = example(activation, layers, widths=(2, 3, 2))
    assert_right(gradcheck(network, X, y, **PENALTIES[penalty]), network)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_the_right_gradient_in_a_deeper_network(activation: str) -> None:
    network, X, y = example(activation)
    assert_right(gradcheck(network, X, y, **BOTH), network)


@pytest.mark.parametrize("loss", OF_LABELS)
def test_every_loss_has_the_right_gradient(loss: str) -> None:
    network, X, y = example("silu", loss=loss)
    assert_right(gradcheck(network, X, y, loss, **BOTH), network)


@pytest.mark.parametrize("layers", LAYERS)
def test_every_seed_of_the_disturbances_is_as_good(layers: str) -> None:
    network, X, y = example("gelu", layers, widths=(2, 3, 2))
    gradients = {gradcheck(network, X, y, seed=seed).worst for seed in range(5)}
    assert max(gradients) <= TOLERANCE
    assert (len(gradients) == 1) == (layers == "batch norm")


def test_the_network_is_left_as_it_was_statistics_included() -> None:
    network, X, y = example("tanh", "all")
    before = network.state.tobytes(), X.tobytes()
    assert gradcheck(network, X, y).ok
    assert (network.state.tobytes(), X.tobytes()) == before


def test_a_failure_of_a_gamma_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgotten(network: Network, dlogits: Array, workspace: Workspace) -> Array:
        gradient = ORIGINAL(network, dlogits, workspace)
        workspace.dgamma[1][2] = 0
        return gradient

    monkeypatch.setattr(Network, "backward", forgotten)
    (failure,) = gradcheck(*example()).failures
    assert str(failure).startswith("layer 2, gamma[2]: by hand 0, by differences ")


Formula = Callable[..., Array]
FORWARD, BACKWARD = BatchNorm.forward, BatchNorm.backward


def without_the_mean(layer: BatchNorm, dZ: Array, m: BatchNormMemory) -> Array:
    """As if the mean did not depend on U."""
    dU = BACKWARD(layer, dZ, m)
    return np.add(dU, layer.gamma / m.sigma * m.db / len(dU), out=dU)


def without_sigma(layer: BatchNorm, dZ: Array, m: BatchNormMemory) -> Array:
    """As if sigma did not depend on U."""
    before = dZ.copy()
    dU = BACKWARD(layer, dZ, m)
    return np.multiply(before - m.db / len(dU), layer.gamma / m.sigma, out=dU)


def without_gamma(layer: BatchNorm, dZ: Array, m: BatchNormMemory) -> Array:
    """As if Z were V."""
    dU = BACKWARD(layer, dZ, m)
    return np.divide(dU, layer.gamma, out=dU)


def by_the_variance(layer: BatchNorm, dZ: Array, m: BatchNormMemory) -> Array:
    """Divides by sigma squared."""
    dU = BACKWARD(layer, dZ, m)
    return np.divide(dU, m.sigma, out=dU)


def a_thousandth_too_much(layer: BatchNorm, dZ: Array, m: BatchNormMemory) -> Array:
    """As if the batch had another size."""
    dU = BACKWARD(layer, dZ, m)
    return np.multiply(dU, 1.001, out=dU)


def gamma_like_b(layer: BatchNorm, dZ: Array, m: BatchNormMemory) -> Array:
    """dgamma is the sum of dZ's rows, without V."""
    dU = BACKWARD(layer, dZ, m)
    np.copyto(m.dgamma, m.db)
    return dU


@pytest.mark.parametrize(
    ("bug", "places"),
    [
        (without_the_mean, {(1, "W"), (1, "b"), (1, "g"), (2, "W")}),
        (without_sigma, {(1, "W"), (1, "b"), (1, "g"), (2, "W")}),
        (without_gamma, {(1, "W"), (1, "b"), (1, "g"), (2, "W")}),
        (by_the_variance, {(1, "W"), (1, "b"), (1, "g"), (2, "W")}),
        (a_thousandth_too_much, {(1, "W"), (1, "b"), (1, "g"), (2, "W")}),
        (gamma_like_b, {(1, "g"), (2, "g")}),
    ],
)
@pytest.mark.parametrize("layers", ["batch norm", "all"])
def test_a_bug_in_the_backward_pass_of_batch_normalisation_is_caught_where_it_is(
    monkeypatch: pytest.MonkeyPatch, layers: str, bug: Formula, places: set[tuple[int, str]]
) -> None:
    monkeypatch.setattr(BatchNorm, "backward", bug)
    found = gradcheck(*example("tanh", layers))
    assert found.worst > 100 * TOLERANCE
    assert {(failure.layer, failure.parameter[0]) for failure in found.failures} == places


def forgotten(network: Network, dlogits: Array, w: Workspace) -> Array:
    """Layer 2 passes dA back to the units that were left out too."""
    memory_of(w, Dropout, 1).mask[...] = 1
    return ORIGINAL(network, dlogits, w)


def unscaled(network: Network, dlogits: Array, w: Workspace) -> Array:
    """Those that stayed get dA as it is."""
    mask = memory_of(w, Dropout, 1).mask
    mask[...] = mask > 0
    return ORIGINAL(network, dlogits, w)


def drawn_again(network: Network, dlogits: Array, w: Workspace) -> Array:
    """Another mask on the way back than on the way forth."""
    mask = memory_of(w, Dropout, 1).mask
    mask[...] = np.roll(mask, 1)
    return ORIGINAL(network, dlogits, w)


def undisturbed(network: Network, dlogits: Array, w: Workspace) -> Array:
    """dW of layer 2 from what the units passed on, before mask and noise."""
    memory_of(w, Linear, 1).A = w.A[0]
    return ORIGINAL(network, dlogits, w)


@pytest.mark.parametrize(
    ("bug", "layers", "places"),
    [
        (forgotten, "dropout", {(1, "W"), (1, "b")}),
        (unscaled, "dropout", {(1, "W"), (1, "b")}),
        (drawn_again, "dropout", {(1, "W"), (1, "b")}),
        (undisturbed, "dropout", {(2, "W")}),
        (undisturbed, "noise", {(2, "W")}),
        (forgotten, "all", {(1, "W"), (1, "b"), (1, "g")}),
    ],
)
def test_a_bug_in_the_mask_or_in_what_it_stands_before_is_caught(
    monkeypatch: pytest.MonkeyPatch, bug: Formula, layers: str, places: set[tuple[int, str]]
) -> None:
    monkeypatch.setattr(Network, "backward", bug)
    found = gradcheck(*example("tanh", layers))
    assert found.worst > 100 * TOLERANCE
    assert {(failure.layer, failure.parameter[0]) for failure in found.failures} == places


def test_a_forward_pass_by_the_sigma_of_another_batch_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first: list[Array] = []

    def late(layer: BatchNorm, U: Array, m: BatchNormMemory, rng: np.random.Generator) -> Array:
        FORWARD(layer, U, m, rng)
        first.append(m.sigma.copy())
        np.multiply(U, m.sigma / first[0], out=U)
        return np.add(layer.gamma * U, layer.b, out=m.Z)

    monkeypatch.setattr(BatchNorm, "forward", late)
    assert not gradcheck(*example("tanh", "batch norm", widths=(4, 3, 3))).ok

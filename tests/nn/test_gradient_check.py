"""The gradient check passes where the derivation is right, and catches mistakes planted in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn import gradient_check
from chainrule.nn.activations import ACTIVATIONS, Activation, sigmoid_backward
from chainrule.nn.gradient_check import TOLERANCE, GradientCheck, gradcheck
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network, Workspace
from helpers.chain import memory_of
from helpers.losses import OF_LABELS, OF_VALUES

Backward = Callable[[Network, Array, Workspace], Array]
ORIGINAL: Backward = Network.backward


def example(
    activation: str = "tanh",
    loss: str = "softmax-cross-entropy",
    *,
    rows: int = 4,
    widths: tuple[int, ...] = (4, 3, 3, 3),
) -> tuple[Network, Array, Array]:
    """(a float64 network with biases, X, y); the middle layer of the usual one is square."""
    rng = np.random.default_rng(8)
    network = Network.dense(
        widths,
        activation,
        rng=rng,
        initializer="normal",
        output=LOSSES[loss].output,
        dtype=np.float64,
    )
    network.parameters *= 5
    for b in network.b:
        b[...] = rng.normal(0, 0.5, b.shape)
    return network, rng.normal(size=(rows, widths[0])), rng.integers(0, widths[-1], rows)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("loss", OF_LABELS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_with_every_loss_has_the_right_gradient(
    activation: str, loss: str, l2: float, smoothing: float
) -> None:
    # Two small layers: this is the long test; the next one goes deeper.
    network, X, y = example(activation, loss, rows=2, widths=(2, 3, 2))
    assert_right(gradcheck(network, X, y, loss, l2=l2, label_smoothing=smoothing), network)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_the_right_gradient_in_a_deeper_network(activation: str) -> None:
    network, X, y = example(activation)
    assert_right(gradcheck(network, X, y, l2=0.01, label_smoothing=0.1), network)


def assert_right(found: GradientCheck, network: Network) -> None:
    """All parameters compared but the few at kinks, and none of them wrong."""
    assert found.ok, [str(failure) for failure in found.failures]
    assert found.worst <= 1e-7
    assert found.checked + found.skipped == network.parameter_count
    assert found.checked > network.parameter_count / 2
    kinked = any(ACTIVATIONS[layer.activation].kinked for layer in network.layers)
    assert kinked or not found.skipped


def scalar_bias_sum(network: Network, dlogits: Array, workspace: Workspace) -> Array:
    """All biases of a layer get the sum over rows and units."""
    gradient = ORIGINAL(network, dlogits, workspace)
    for db in workspace.db:
        db[...] = db.sum()
    return gradient


def missing_transpose(network: Network, dlogits: Array, workspace: Workspace) -> Array:
    """Goes back through the square layer 2 by W where W' belongs."""
    kept = network.W[1].copy()
    network.W[1][...] = kept.T
    gradient = ORIGINAL(network, dlogits, workspace)
    network.W[1][...] = kept
    return gradient


def written_over_activations(network: Network, dlogits: Array, workspace: Workspace) -> Array:
    """Writes dZ of layer 2 over A of layer 1, which dW of layer 2 still needs."""
    memory_of(workspace, Activation, 1).dZ = workspace.A[0]
    return ORIGINAL(network, dlogits, workspace)


def wrong_sign(network: Network, dlogits: Array, workspace: Workspace) -> Array:
    gradient = ORIGINAL(network, dlogits, workspace)
    workspace.dW[2] *= -1
    return gradient


def off_by_a_little(network: Network, dlogits: Array, workspace: Workspace) -> Array:
    """dW of layer 1 is 0.05 % too large."""
    gradient = ORIGINAL(network, dlogits, workspace)
    workspace.dW[0] *= 1.0005
    return gradient


def forgotten_bias(network: Network, dlogits: Array, workspace: Workspace) -> Array:
    gradient = ORIGINAL(network, dlogits, workspace)
    workspace.db[1][...] = 0
    return gradient


def penalised_biases(network: Network, dlogits: Array, workspace: Workspace) -> Array:
    """The L2 penalty's gradient reaches the biases too."""
    gradient = ORIGINAL(network, dlogits, workspace)
    gradient[network.layout.weights_end :] += (
        0.01 * network.parameters[network.layout.weights_end :]
    )
    return gradient


@pytest.mark.parametrize(
    ("bug", "activation", "places"),
    [
        (scalar_bias_sum, "tanh", {(1, "b"), (2, "b"), (3, "b")}),
        (missing_transpose, "tanh", {(1, "W"), (1, "b")}),
        (written_over_activations, "relu", {(2, "W")}),
        (wrong_sign, "tanh", {(3, "W")}),
        (off_by_a_little, "tanh", {(1, "W")}),
        (forgotten_bias, "tanh", {(2, "b")}),
        (penalised_biases, "tanh", {(1, "b"), (2, "b"), (3, "b")}),
    ],
)
def test_a_planted_bug_is_caught_where_it_is(
    monkeypatch: pytest.MonkeyPatch, bug: Backward, activation: str, places: set[tuple[int, str]]
) -> None:
    monkeypatch.setattr(Network, "backward", bug)
    found = gradcheck(*example(activation), l2=0.01)
    assert not found.ok
    assert found.worst > 100 * TOLERANCE
    caught = {(failure.layer, failure.parameter[0]) for failure in found.failures}
    # What lies before the bug, seen from the loss, hears of it too; what lies behind is right.
    assert places <= caught
    assert max(layer for layer, _ in caught) == max(layer for layer, _ in places)
    if bug is not written_over_activations:
        assert places == caught


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("softmax", {"backward": sigmoid_backward}),
        ("gelu", {"in_place": True}),
        (
            "tanh",
            {
                "in_place": False,
                "backward": lambda dA, Z, A, out, scratch: np.multiply(dA, 1 - Z * Z, out=out),
            },
        ),
        (
            "sigmoid",
            {"backward": lambda dA, Z, A, out, scratch: np.multiply(dA, A, out=out)},
        ),
    ],
    ids=["softmax element by element", "gelu over its Z", "tanh' of Z", "half of sigmoid'"],
)
def test_a_wrong_derivative_of_an_activation_is_caught_below_it(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: dict[str, Any]
) -> None:
    like, X, y = example("silu")
    network = Network([replace(like.layers[0], activation=name), *like.layers[1:]], np.float64)
    network.parameters[...] = like.parameters
    assert gradcheck(network, X, y).ok
    monkeypatch.setitem(ACTIVATIONS, name, replace(ACTIVATIONS[name], **wrong))
    found = gradcheck(network, X, y)
    assert {(f.layer, f.parameter[0]) for f in found.failures} == {(1, "W"), (1, "b")}


@pytest.mark.parametrize("loss", OF_LABELS)
def test_a_forgotten_division_by_the_batch_is_caught_everywhere(loss: str) -> None:
    def summed(outputs: Array, labels: Array, **settings: float) -> tuple[float, Array]:
        value, dlogits = LOSSES[loss].function(outputs, labels, **settings)
        return value, dlogits * len(labels)

    network, X, y = example(loss=loss)
    found = gradcheck(network, X, y, summed)
    assert len(found.failures) == found.checked == network.parameter_count


def test_a_gradient_that_is_not_a_number_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(network: Network, dlogits: Array, workspace: Workspace) -> Array:
        gradient = ORIGINAL(network, dlogits, workspace)
        workspace.dW[0][1, 2] = np.nan
        return gradient

    monkeypatch.setattr(Network, "backward", broken)
    found = gradcheck(*example())
    assert not found.ok
    assert np.isnan(found.worst)
    assert (1, "W[1, 2]") in {(failure.layer, failure.parameter) for failure in found.failures}


def test_a_failure_reads_as_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "backward", forgotten_bias)
    first = str(gradcheck(*example()).failures[0])
    assert first.startswith("layer 2, b[0]: by hand 0, by differences ")
    assert first.endswith(", relative error 1.0e+00")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_network_is_left_as_it_was(dtype: Any) -> None:
    network, X, y = example("relu")
    network = network.copy(dtype)
    before = network.parameters.tobytes(), X.tobytes(), y.tobytes()
    assert gradcheck(network, X, y, l2=0.1).ok
    assert (network.parameters.tobytes(), X.tobytes(), y.tobytes()) == before


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "elu"])
def test_parameters_at_a_kink_are_skipped_and_counted(activation: str) -> None:
    network, X, y = example(activation)
    # The first unit of layer 1 sits on its kink for the first row: Z = 0 there.
    network.b[0][0] = -float(X[0] @ network.W[0][:, 0])
    found = gradcheck(network, X, y)
    assert found.ok
    # All that feeds that unit: its four weights and its bias; nudges elsewhere do not reach it.
    assert found.skipped >= 5
    assert found.checked + found.skipped == network.parameter_count
    network, X, y = example("tanh")
    network.b[0][0] = -float(X[0] @ network.W[0][:, 0])
    assert gradcheck(network, X, y).skipped == 0


def test_the_walk_passes_every_activation_with_every_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, drawn = [], []

    def note(
        network: Network, X: Array, y: Array, loss: str, *, weights: Array | None, **more: float
    ) -> GradientCheck:
        of_values = y.ndim == 2
        asked.append(
            (*(layer.activation for layer in network.layers), loss, of_values, *more.values())
        )
        drawn.append(all(layer.stochastic for layer in network.layers))
        assert drawn[-1] == network.layers[0].batch_norm
        assert (weights is not None) == (more["l2"] > 0)
        return GradientCheck(checked=1, skipped=0, worst=0.0)

    # The checks themselves are the first test here, and the command's.
    monkeypatch.setattr(gradient_check, "gradcheck", note)
    walked = list(gradient_check.walk(np.random.default_rng(0)))
    kinds = [(loss, False) for loss in OF_LABELS] + [(loss, True) for loss in OF_VALUES]
    triples = {(activation, *kind) for activation in ACTIVATIONS for kind in kinds}
    assert {(activation, loss) for activation, loss, _ in walked} == {
        (activation, loss) for activation in ACTIVATIONS for loss in LOSSES
    }
    assert {(first, loss, of_values) for first, _, _, loss, of_values, _, _ in asked} == triples
    assert drawn == [False, False, False, False, True] * len(triples)
    for activation, *kind in triples:
        mine = [rest for first, *rest in asked if first == activation and rest[2:4] == kind]
        assert len(mine) == 5
        assert {rest[0] for rest in mine} == {activation}
        assert {rest[1] for rest in mine} == {activation, LOSSES[kind[0]].output}
        assert {rest[4] > 0 for rest in mine} == {True, False}
        smoothed = {(rest[4] > 0) == (rest[5] > 0) for rest in mine if not kind[1]}
        assert smoothed == ({True} if not kind[1] else set())
        assert kind[1] <= all(rest[5] == 0 for rest in mine)


def test_one_step_of_the_walk_is_right() -> None:
    activation, loss, found = next(gradient_check.walk(np.random.default_rng(0)))
    assert (activation, loss) == ("identity", "softmax-cross-entropy")
    assert found.ok
    assert found.worst <= 1e-7


def test_a_check_of_nothing_is_not_ok() -> None:
    assert not GradientCheck(checked=0, skipped=12, worst=0.0).ok
    assert GradientCheck(checked=1, skipped=0, worst=0.0).ok


def test_a_tolerance_of_ones_own_decides() -> None:
    assert gradcheck(*example(), tolerance=1e-3).ok
    assert not gradcheck(*example(), tolerance=0.0).ok


def test_labels_outside_the_classes_are_refused() -> None:
    network, X, _ = example()
    with pytest.raises(ValueError, match=r"label 3 of example 0 is outside 0\.\.2"):
        gradcheck(network, X, np.array([3, 0, 1, 2]))


def test_an_unknown_loss_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown loss 'hinge': choose one of softmax"):
        gradcheck(*example(), "hinge")

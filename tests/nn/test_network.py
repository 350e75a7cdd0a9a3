"""The whole network, forward and backward, against PyTorch's autograd on the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.arrays import Array
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.dense import Dense
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import PREDICT_ROWS, Network, Workspace, Workspaces
from helpers.losses import OF_LABELS

HIDDEN = [name for name in ACTIVATIONS if name != "identity"]

TORCH: dict[str, Callable[[Any, Any], Any]] = {
    "identity": lambda torch, z: z,
    "sigmoid": lambda torch, z: torch.sigmoid(z),
    "tanh": lambda torch, z: torch.tanh(z),
    "relu": lambda torch, z: torch.relu(z),
    "leaky-relu": lambda torch, z: torch.nn.functional.leaky_relu(z),
    "elu": lambda torch, z: torch.nn.functional.elu(z),
    "gelu": lambda torch, z: torch.nn.functional.gelu(z, approximate="tanh"),
    "silu": lambda torch, z: torch.nn.functional.silu(z),
    "softmax": lambda torch, z: torch.softmax(z, dim=1),
}


def torch_loss(torch: ModuleType, loss: str, outputs: Any, labels: Array) -> Any:
    F = torch.nn.functional
    y = torch.tensor(labels)
    one_hot = F.one_hot(y, outputs.shape[1]).double()
    if loss == "softmax-cross-entropy":
        return F.cross_entropy(outputs, y)
    if loss == "sigmoid-cross-entropy":
        return F.binary_cross_entropy_with_logits(outputs, one_hot, reduction="sum") / len(y)
    return F.mse_loss(outputs, one_hot)


def example(
    widths: Sequence[int], activations: Sequence[str], rows: int = 9, **settings: Any
) -> tuple[Network, Array, Array]:
    """(a float64 network with biases, X, y)"""
    rng = np.random.default_rng(len(widths) + rows)
    settings = {"dtype": np.float64, **settings}
    network = Network.dense(widths, activations, rng=rng, **settings)
    for b in network.b:
        b[...] = rng.normal(size=b.shape)
    X = rng.normal(size=(rows, widths[0])).astype(network.dtype)
    return network, X, rng.integers(0, widths[-1], rows)


@pytest.mark.parametrize("loss", OF_LABELS)
@pytest.mark.parametrize(
    ("widths", "activations"),
    [
        ([5, 3], []),
        ([4, 7, 3], ["tanh"]),
        ([6, 5, 5, 4, 2], ["relu", "sigmoid", "elu"]),
        ([7, *range(4, 4 + len(HIDDEN)), 3], HIDDEN),
        ([3, 1, 1, 2], ["silu", "gelu"]),
    ],
    ids=["no hidden layer", "one", "three", "all activations", "one unit wide"],
)
def test_outputs_loss_and_gradient_are_those_of_autograd(
    torch: ModuleType, widths: list[int], activations: list[str], loss: str
) -> None:
    network, X, y = example(widths, activations, output=LOSSES[loss].output)
    W = [torch.tensor(W, requires_grad=True) for W in network.W]
    b = [torch.tensor(b, requires_grad=True) for b in network.b]
    A = torch.tensor(X)
    for layer, weight, bias in zip(network.layers, W, b, strict=True):
        A = TORCH[layer.activation](torch, torch.addmm(bias, A, weight))
    theirs = torch_loss(torch, loss, A, y)
    theirs.backward()

    workspace = Workspace(network, len(y))
    outputs = network.forward(X, workspace)
    ours, dlogits = LOSSES[loss].function(outputs, y)
    dW, db, _ = network.layout.parameters(network.backward(dlogits, workspace))
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(outputs, A.detach().numpy(), **close)
    assert ours == pytest.approx(theirs.item(), rel=1e-12)
    for mine, other in zip(dW + db, W + b, strict=True):
        np.testing.assert_allclose(mine, other.grad.numpy(), **close)


def test_a_workspace_used_before_gives_the_same_bits() -> None:
    network, X, y = example([6, 8, 7, 3], ["gelu", "softmax"])

    def gradient(X: Array, workspace: Workspace) -> bytes:
        _, dlogits = LOSSES["softmax-cross-entropy"].function(network.forward(X, workspace), y)
        return bytes(network.backward(dlogits, workspace).tobytes())

    used = Workspace(network, len(y))
    gradient(5 * X, used)
    assert gradient(X, used) == gradient(X, Workspace(network, len(y)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_and_biases_are_aligned_views_of_the_flat_vector(dtype: Any) -> None:
    network, _, _ = example([5, 3, 7, 2], ["relu", "tanh"], dtype=dtype)
    workspace = Workspace(network, 4)
    for flat, W, b in (
        (network.parameters, network.W, network.b),
        (workspace.gradient, workspace.dW, workspace.db),
    ):
        assert flat.ctypes.data % 64 == 0
        assert all(np.shares_memory(view, flat) for view in W + b)
        assert all(view.ctypes.data % 64 == 0 for view in W + b)
        for number, view in enumerate(W + b, 1):
            view[...] = number
        counts = [np.count_nonzero(flat == number) for number in range(1, len(W + b) + 1)]
        assert counts == [view.size for view in W + b]


def test_the_weights_lie_before_weights_end_and_the_biases_behind() -> None:
    network, _, _ = example([5, 3, 7, 2], ["relu", "tanh"])
    network.parameters[: network.layout.weights_end] = 1
    network.parameters[network.layout.weights_end :] = 2
    assert all((W == 1).all() for W in network.W)
    assert all((b == 2).all() for b in network.b)


def test_the_gap_between_two_views_never_gets_a_gradient() -> None:
    network, X, y = example([5, 3, 7, 2], ["relu", "tanh"])
    workspace = Workspace(network, len(y))
    _, dlogits = LOSSES["softmax-cross-entropy"].function(network.forward(X, workspace), y)
    network.backward(dlogits, workspace)
    for view in workspace.dW + workspace.db:
        view[...] = 0
    assert not workspace.gradient.any()


@pytest.mark.parametrize("link", ["softmax", "identity", "sigmoid"])
@pytest.mark.parametrize("rows", [0, 1, PREDICT_ROWS, PREDICT_ROWS + 1, 2 * PREDICT_ROWS + 500])
def test_predicting_is_forward_and_the_link(link: str, rows: int) -> None:
    network, X, _ = example([4, 6, 3], ["relu"], rows=rows, link=link)
    outputs = network.forward(X, Workspace(network, rows)).copy() if rows else np.empty((0, 3))
    expected = ACTIVATIONS[link].forward(outputs, np.empty_like(outputs)) if rows else outputs
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-13)
    assert np.array_equal(network.predict(X), network.predict_proba(X).argmax(axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_sum_to_one_in_the_networks_own_precision(dtype: Any) -> None:
    network, X, _ = example([4, 6, 3], ["relu"], rows=50, dtype=dtype)
    probabilities = network.predict_proba(X)
    assert probabilities.dtype == dtype
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@given(rows=st.integers(2, 30), data=st.data())
def test_the_rows_of_a_batch_do_not_know_of_each_other(rows: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, rows - 1))
    network, X, _ = example([4, 6, 5, 3], ["softmax", "elu"], rows=rows)
    parts = [network.predict_proba(X[:cut]), network.predict_proba(X[cut:])]
    np.testing.assert_allclose(network.predict_proba(X), np.concatenate(parts), rtol=1e-12)


@given(rows=st.integers(2, 30), data=st.data())
def test_the_gradient_of_a_batch_is_the_weighted_mean_of_its_parts(
    rows: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, rows - 1))
    network, X, y = example([4, 6, 5, 3], ["gelu", "tanh"], rows=rows)

    def gradient(part: slice) -> Array:
        workspace = Workspace(network, len(y[part]))
        outputs = network.forward(X[part], workspace)
        _, dlogits = LOSSES["softmax-cross-entropy"].function(outputs, y[part])
        return network.backward(dlogits, workspace)

    parts = (cut * gradient(slice(cut)) + (rows - cut) * gradient(slice(cut, None))) / rows
    np.testing.assert_allclose(gradient(slice(None)), parts, rtol=1e-10, atol=1e-12)


def test_eight_threads_predict_what_one_does_and_change_no_bit() -> None:
    network, X, _ = example([20, 64, 64, 10], ["relu", "gelu"], rows=3000, dtype=np.float32)
    before, seen = network.parameters.tobytes(), vars(network).copy()
    alone = network.predict_proba(X)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda _: network.predict_proba(X), range(16)))
    assert all(np.array_equal(probabilities, alone) for probabilities in together)
    assert network.parameters.tobytes() == before
    assert vars(network) == seen


def test_images_of_another_precision_are_converted() -> None:
    network, X, _ = example([4, 6, 3], ["relu"], dtype=np.float32)
    assert np.array_equal(network.predict_proba(X.astype(np.float64)), network.predict_proba(X))


def test_a_copy_has_the_same_values_in_memory_of_its_own() -> None:
    network, _, _ = example([5, 3, 2], ["tanh"], link="sigmoid", dtype=np.float32)
    twin = network.copy()
    assert twin.parameters.tobytes() == network.parameters.tobytes()
    assert (twin.layers, twin.link, twin.dtype) == (network.layers, network.link, network.dtype)
    twin.parameters[...] = 0
    assert network.parameters.any()
    wide = network.copy(np.float64)
    assert wide.dtype == wide.parameters.dtype == np.float64
    assert all(np.array_equal(a, b) for a, b in zip(wide.W, network.W, strict=True))


def test_the_numbers_of_a_network_are_those_one_would_count() -> None:
    network = Network([Dense(784, 128, "relu"), Dense(128, 10)])
    assert network.parameter_count == 101_770
    assert network.widths == [784, 128, 10]
    assert network.parameters.dtype == np.float32
    assert not network.parameters.any()
    assert str(network.layers[0]) == "784 -> 128 relu"


def test_biases_start_at_zero_and_weights_do_not() -> None:
    network = Network.dense([4, 3, 2], rng=np.random.default_rng(0))
    assert all(W.all() for W in network.W)
    assert not any(b.any() for b in network.b)


def test_workspaces_are_made_once_for_each_number_of_rows() -> None:
    workspaces = Workspaces(Network([Dense(4, 2)]))
    assert workspaces[3] is workspaces[3]
    assert workspaces[3] is not workspaces[4]
    assert workspaces[4].examples == 4


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Network([]), "at least one layer"),
        (lambda: Dense(0, 3), r"0 -> 3 identity: a layer has at least one input and one unit"),
        (lambda: Dense(3, -1), r"3 -> -1 .* at least one input"),
        (lambda: Dense(3, 2, "swish"), r"unknown activation 'swish': choose one of identity,"),
        (
            lambda: Network([Dense(4, 3), Dense(5, 2)]),
            "layer 2 takes 5 inputs, but layer 1 has 3 units: the two must agree",
        ),
        (lambda: Network([Dense(4, 3)], link="max"), "unknown link 'max'"),
        (lambda: Network.dense([4], rng=RNG), r"widths \[4\]: give at least the inputs and"),
        (lambda: Network.dense([], rng=RNG), r"widths \[\]: give at least"),
        (
            lambda: Network.dense([4, 3, 2], ["relu", "tanh"], rng=RNG),
            "2 activations for 1 hidden layers: give one for all, or one for each",
        ),
        (lambda: Network.dense([4, 3, 2], "Relu", rng=RNG), "unknown activation 'Relu'"),
        (lambda: Network.dense([4, 0, 2], rng=RNG), "4 -> 0 relu: a layer has at least"),
        (lambda: Network.dense([4, 3, 2], rng=RNG, output="max"), "unknown activation 'max'"),
        (
            lambda: Network([Dense(4, 3)]).predict(np.zeros((2, 5), np.float32)),
            r"X has shape \(2, 5\): layer 1 takes 4 inputs",
        ),
        (
            lambda: Network([Dense(4, 3)]).forward(
                np.zeros((2, 4), np.float32), Workspace(Network([Dense(4, 3)]), 3)
            ),
            "the workspace was made for 3 examples",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()

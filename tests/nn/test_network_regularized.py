"""Batch normalisation, dropout and noise in a whole network: PyTorch's autograd beside ours.

What ours drew at random is taken from its workspace and given to PyTorch's model.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.dense import Dense
from chainrule.nn.dropout import Dropout, Noise
from chainrule.nn.losses import LOSSES, softmax_cross_entropy
from chainrule.nn.network import Network, Workspace
from chainrule.nn.predictor import Predictor
from chainrule.training.evaluate import evaluate
from helpers.chain import memory_of
from nn.test_network import TORCH, torch_loss

DISTURBED: dict[str, Any] = {
    "dropout": 0.3,
    "input_dropout": 0.2,
    "noise": 0.2,
    "input_noise": 0.1,
}
ALL: dict[str, Any] = {"batch_norm": True, **DISTURBED}


def example(
    activation: str = "tanh",
    widths: tuple[int, ...] = (6, 8, 7, 3),
    *,
    rows: int = 12,
    dtype: Any = np.float64,
    **settings: Any,
) -> tuple[Network, Array, Array]:
    """(a network whose biases, gammas and statistics are no longer the first, X, y)"""
    rng = np.random.default_rng(rows)
    network = Network.dense(widths, activation, rng=rng, dtype=dtype, **settings)
    for b, gamma in zip(network.b, network.gamma, strict=True):
        b[...] = rng.normal(size=b.shape)
        gamma[...] = rng.normal(1, 0.5, gamma.shape)
    for mean, variance in zip(network.mean, network.variance, strict=True):
        mean[...] = rng.normal(size=mean.shape)
        variance[...] = rng.uniform(0.1, 3, variance.shape)
    X = rng.normal(size=(rows, widths[0])).astype(dtype)
    return network, X, rng.integers(0, widths[-1], rows)


def torch_outputs(
    torch: ModuleType, network: Network, X: Array, w: Workspace | None = None
) -> tuple[Any, list[list[Any]]]:
    """(outputs, [each W, each b, each gamma]): in training as `w` has it, without it evaluated."""
    arrays = (network.W, network.b, network.gamma)
    leaves = [[torch.tensor(each, requires_grad=True) for each in views] for views in arrays]
    A = torch.tensor(X)
    for i, layer in enumerate(network.layers):
        W, b, gamma = (views[i] for views in leaves)
        if w and layer.dropout:
            A = A * torch.tensor(memory_of(w, Dropout, i).mask)
        if w and layer.noise:
            A = A + torch.tensor(memory_of(w, Noise, i).noise)
        if layer.batch_norm:
            running = torch.tensor(network.mean[i]), torch.tensor(network.variance[i])
            Z = torch.nn.functional.batch_norm(
                A @ W, *running, weight=gamma, bias=b, training=w is not None
            )
        else:
            Z = A @ W + b
        A = TORCH[layer.activation](torch, Z)
    return A, leaves


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 2e-3)])
@pytest.mark.parametrize(
    "settings", [{"batch_norm": True}, DISTURBED, ALL], ids=["bn", "drawn", "all"]
)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_three_layers_in_training_have_the_gradient_of_autograd(
    torch: ModuleType, activation: str, settings: dict[str, Any], dtype: Any, tolerance: float
) -> None:
    network, X, y = example(activation, dtype=dtype, **settings)
    w = Workspace(network, len(y))
    outputs = network.forward(X, w, np.random.default_rng(0))
    theirs, leaves = torch_outputs(torch, network, X, w)
    loss = torch_loss(torch, "softmax-cross-entropy", theirs, y)
    loss.backward()
    ours, dlogits = softmax_cross_entropy(outputs, y)
    gradients = network.layout.parameters(network.backward(dlogits, w))
    assert ours == pytest.approx(loss.item(), rel=tolerance)
    np.testing.assert_allclose(outputs, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)
    for mine, others in zip(gradients, leaves, strict=True):
        for gradient, leaf in zip(mine, others, strict=True):
            assert gradient.dtype == dtype
            if gradient.size:
                np.testing.assert_allclose(
                    gradient, leaf.grad.numpy(), rtol=tolerance, atol=tolerance
                )
    # No comparison of zeros with zeros.
    assert all(np.count_nonzero(dW) > dW.size / 2 for dW in gradients[0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_evaluated_the_outputs_are_torchs_by_the_running_statistics(
    torch: ModuleType, activation: str
) -> None:
    network, X, y = example(activation, **ALL)
    theirs = torch_outputs(torch, network, X)[0].detach()
    outputs = network.forward(X, Workspace(network, len(y)))
    np.testing.assert_allclose(outputs, theirs.numpy(), rtol=1e-11, atol=1e-12)
    probabilities = torch.softmax(theirs, dim=1).numpy()
    for predicted in (network.predict_proba(X), Predictor(network)(X)):
        np.testing.assert_allclose(predicted, probabilities, rtol=1e-11, atol=1e-12)
    assert np.array_equal(network.predict(X), probabilities.argmax(axis=1))
    loss, accuracy = evaluate(network, (X, y))
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(y)).item()
    assert loss == pytest.approx(expected, rel=1e-11)
    assert accuracy == np.mean(probabilities.argmax(axis=1) == y)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-4)])
@pytest.mark.parametrize("link", ["softmax", "identity"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_folded_it_predicts_the_same_from_plain_layers(
    activation: str, link: str, dtype: Any, tolerance: float
) -> None:
    network, X, _ = example(activation, dtype=dtype, link=link, **ALL)
    before = network.state.tobytes()
    folded = network.folded()
    predicted = folded.predict_proba(X)
    assert predicted.dtype == dtype
    np.testing.assert_allclose(predicted, network.predict_proba(X), rtol=tolerance, atol=tolerance)
    plain = [Dense(layer.fan_in, layer.fan_out, layer.activation) for layer in network.layers]
    assert folded.layers == tuple(plain)
    assert (folded.link, folded.dtype) == (link, dtype)
    assert folded.state.size == folded.parameters.size
    folded.state[...] = 0
    assert network.state.tobytes() == before


def test_folding_a_network_without_batch_normalisation_copies_it() -> None:
    network, _, _ = example(**DISTURBED)
    folded = network.folded()
    assert folded.parameters.tobytes() == network.parameters.tobytes()
    assert not np.shares_memory(folded.parameters, network.parameters)
    assert not folded.has_training_mode
    plain, _, _ = example()
    assert plain.folded().layers == plain.layers


def test_a_folded_network_folded_again_stays_as_it_is() -> None:
    folded = example(**ALL)[0].folded()
    assert folded.folded().parameters.tobytes() == folded.parameters.tobytes()


@pytest.mark.parametrize("settings", [{"batch_norm": True}, ALL], ids=["bn", "all"])
def test_a_prediction_does_not_depend_on_who_else_is_in_the_batch(settings: Any) -> None:
    network, X, y = example(rows=30, **settings)
    together = network.predict_proba(X)
    crowd = np.concatenate([X, 1e3 * X])
    np.testing.assert_allclose(network.predict_proba(crowd)[:30], together, rtol=1e-12)
    for start, stop in pairwise((0, 1, 2, 9, 30)):
        np.testing.assert_allclose(
            network.predict_proba(X[start:stop]), together[start:stop], rtol=1e-12
        )
        np.testing.assert_allclose(
            Predictor(network)(X[start:stop]), together[start:stop], rtol=1e-11
        )
    parts = [evaluate(network, (X[part], y[part]))[0] for part in (slice(10), slice(10, 30))]
    assert evaluate(network, (X, y))[0] == pytest.approx((parts[0] + 2 * parts[1]) / 3, rel=1e-12)


def test_in_training_each_row_depends_on_the_others() -> None:
    network, X, y = example(batch_norm=True)
    rng = np.random.default_rng(0)
    whole = network.forward(X, Workspace(network, len(y)), rng).copy()
    half = network.forward(X[:6], Workspace(network, 6), rng)
    assert np.abs(whole[:6] - half).max() > 0.01


def test_without_a_generator_dropout_and_noise_do_nothing() -> None:
    network, X, y = example(**DISTURBED)
    plain = network.folded()
    used, fresh = Workspace(network, len(y)), Workspace(plain, len(y))
    network.forward(X, used, np.random.default_rng(0))
    outputs = network.forward(X, used)
    assert outputs.tobytes() == plain.forward(X, fresh).tobytes()
    _, dlogits = softmax_cross_entropy(outputs, y)
    gradient = network.backward(dlogits, used)
    assert gradient.tobytes() == plain.backward(dlogits, fresh).tobytes()


@pytest.mark.parametrize(
    "settings", [{"batch_norm": True}, DISTURBED, ALL], ids=["bn", "drawn", "all"]
)
def test_the_same_generator_gives_the_same_bits_in_a_workspace_used_before(settings: Any) -> None:
    network, X, y = example("gelu", **settings)

    def gradient(X: Array, w: Workspace, seed: int = 3) -> bytes:
        outputs = network.forward(X, w, np.random.default_rng(seed))
        return bytes(network.backward(LOSSES["softmax-cross-entropy"].function(outputs, y)[1], w))

    before, given = network.state.tobytes(), X.tobytes()
    used = Workspace(network, len(y))
    gradient(5 * X, used, seed=8)
    network.forward(X, used)
    assert gradient(X, used) == gradient(X, Workspace(network, len(y)))
    assert (gradient(X, used, seed=4) == gradient(X, used)) == (not network.layers[0].stochastic)
    # Neither the network nor what it was given: statistics are for training to remember.
    assert (network.state.tobytes(), X.tobytes()) == (before, given)


def test_a_gradient_by_the_statistics_of_all_batches_is_refused_in_words() -> None:
    network, X, y = example(batch_norm=True)
    w = Workspace(network, len(y))
    _, dlogits = softmax_cross_entropy(network.forward(X, w), y)
    message = r"layer 2 was normalised by the running statistics: .* network\.folded\(\)"
    with pytest.raises(ValueError, match=message):
        network.backward(dlogits, w)


def test_a_copy_takes_gammas_and_statistics_along_in_any_precision() -> None:
    network, X, _ = example(dtype=np.float32, **ALL)
    twin = network.copy()
    assert twin.state.tobytes() == network.state.tobytes()
    assert not np.shares_memory(twin.state, network.state)
    wide = network.copy(np.float64)
    assert wide.layers == network.layers
    for mine, other in ((wide.gamma, network.gamma), (wide.variance, network.variance)):
        assert all(np.array_equal(a, b) for a, b in zip(mine, other, strict=True))
    np.testing.assert_allclose(wide.predict_proba(X), network.predict_proba(X), rtol=1e-5)


def test_a_new_network_has_gammas_and_variances_of_one_and_means_of_zero() -> None:
    network = Network.dense([784, 128, 10], rng=np.random.default_rng(0), batch_norm=True)
    assert network.parameter_count == 101_770 + 128
    assert network.state.size == network.parameters.size + 2 * 128
    assert [each.tolist() for each in network.gamma] == [[1.0] * 128, []]
    assert [each.tolist() for each in network.variance] == [[1.0] * 128, []]
    assert [each.tolist() for each in network.mean] == [[0.0] * 128, []]


@pytest.mark.parametrize(
    ("settings", "otherwise"),
    [
        ({}, False),
        ({"batch_norm": True}, True),
        ({"dropout": 0.1}, True),
        ({"input_noise": 0.1}, True),
    ],
)
def test_a_network_knows_whether_it_trains_otherwise_than_it_predicts(
    settings: dict[str, Any], otherwise: bool
) -> None:
    assert example(**settings)[0].has_training_mode is otherwise


def test_the_gap_between_two_views_never_gets_a_gradient() -> None:
    network, X, y = example(**ALL)
    w = Workspace(network, len(y))
    _, dlogits = softmax_cross_entropy(network.forward(X, w, np.random.default_rng(0)), y)
    network.backward(dlogits, w)
    for view in w.dW + w.db + w.dgamma:
        view[...] = 0
    assert not w.gradient.any()


def test_eight_threads_predict_what_one_does_and_change_no_bit() -> None:
    network, X, _ = example(widths=(20, 64, 64, 10), rows=3000, dtype=np.float32, **ALL)
    before, alone = network.state.tobytes(), network.predict_proba(X)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda _: network.predict_proba(X), range(16)))
    assert all(np.array_equal(probabilities, alone) for probabilities in together)
    assert network.state.tobytes() == before

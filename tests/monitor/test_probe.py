"""What is seen of a network between two steps is true, and looking at it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.monitor.probe import (
    EXAMPLES,
    Probe,
    as_pictures,
    flat_shares,
    grey,
    sample,
    update_ratio,
    worst,
)
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.training.train import train
from conftest import oracle

LOSS = LOSSES["softmax-cross-entropy"].function


def problem(examples: int = 90, activation: str = "relu") -> tuple[Network, tuple[Array, Array]]:
    """(a float32 network 12 -> 9 -> 7 -> 3, examples)"""
    rng = np.random.default_rng(4)
    network = Network.dense([12, 9, 7, 3], activation, rng=rng)
    return network, (rng.random((examples, 12)).astype(np.float32), rng.integers(0, 3, examples))


def test_loss_and_accuracy_are_those_of_scikit_learn() -> None:
    metrics = oracle("sklearn.metrics")
    network, (images, labels) = problem()
    seen = Probe(network, (images, labels), (images[:40], labels[:40]), loss=LOSS).observe()
    for part, rows in ((seen.training, 90), (seen.validation, 40)):
        probabilities = network.predict_proba(images[:rows]).astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        assert part is not None
        assert part.loss == pytest.approx(metrics.log_loss(labels[:rows], probabilities), rel=1e-5)
        predicted = probabilities.argmax(axis=1)
        assert part.accuracy == metrics.accuracy_score(labels[:rows], predicted)


def test_the_update_ratio_is_that_of_the_one_step_between_arm_and_observe() -> None:
    torch = oracle("torch")
    network, examples = problem()
    weights = [torch.tensor(W, requires_grad=True) for W in network.W]
    A = torch.tensor(examples[0])
    for i, (W, b) in enumerate(zip(weights, network.b, strict=True)):
        A = A @ W + torch.tensor(b)
        A = torch.relu(A) if i < 2 else A
    torch.nn.functional.cross_entropy(A, torch.tensor(examples[1])).backward()
    probe = Probe(network, examples, None, loss=LOSS)
    probe.arm()
    for _ in train(
        network, examples, rng=None, epochs=1, batch_size=90, optimizer="sgd", learning_rate=0.3
    ):
        pass
    expected = [0.3 * (W.grad.norm() / W.detach().norm()).item() for W in weights]
    found = [layer.update_ratio for layer in probe.observe().layers]
    assert found == pytest.approx(expected, rel=1e-4)
    assert [layer.update_ratio for layer in probe.observe().layers] == [None] * 3


def test_a_ratio_that_is_no_number_is_none() -> None:
    W = np.ones((3, 2), np.float32)
    assert update_ratio(np.zeros_like(W), W) is None
    with np.errstate(invalid="ignore", over="ignore"):
        assert update_ratio(W, W * np.float32(np.inf)) is None
        assert update_ratio(W * np.float32(np.nan), W) is None
    assert update_ratio(W, W) == 0


def test_units_that_never_fire_are_dead_and_units_at_their_ends_saturated() -> None:
    network, examples = problem()
    for b, dead in ((network.b[0], 2), (network.b[1], 3)):
        b[:dead], b[dead:] = -1000, 50
    seen = Probe(network, examples, None, loss=LOSS).observe()
    assert [layer.stuck for layer in seen.layers[:2]] == pytest.approx([2 / 9, 3 / 7])
    assert seen.layers[2].stuck is None
    for activation in ("sigmoid", "tanh"):
        network, examples = problem(activation=activation)
        healthy = Probe(network, examples, None, loss=LOSS)
        assert [layer.stuck for layer in healthy.observe().layers[:2]] == [0, 0]
        network.b[0][:3], network.b[0][3:4] = 50, -50
        assert healthy.observe().layers[0].stuck == pytest.approx(4 / 9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_flat_is_where_torch_finds_a_small_slope(activation: str) -> None:
    torch = oracle("torch")
    functions = {
        "identity": lambda z: z,
        "leaky-relu": torch.nn.functional.leaky_relu,
        "elu": torch.nn.functional.elu,
        "gelu": lambda z: torch.nn.functional.gelu(z, approximate="tanh"),
        "silu": torch.nn.functional.silu,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
    }
    # Two units: the first only far below zero, the second on both sides.
    Z = np.stack([np.linspace(-9.05, -5.05, 50), np.linspace(-9.05, 9.05, 50)], axis=1)
    A = ACTIVATIONS[activation].forward(Z.copy(), np.empty_like(Z))
    shares = flat_shares(activation, Z, A)
    if activation == "softmax":
        assert shares is None
        return
    z = torch.tensor(Z, requires_grad=True)
    functions[activation](z).sum().backward()
    grid = torch.linspace(-4, 4, 4001, dtype=torch.float64, requires_grad=True)
    functions[activation](grid).sum().backward()
    small = z.grad.abs().numpy() < 0.05 * grid.grad.max().item()
    assert shares == (small.all(axis=0).mean(), small.mean())


def test_the_worst_mistakes_come_first_each_with_its_confidence() -> None:
    probabilities = np.array(
        [[0.1, 0.9, 0.0], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4], [0.45, 0.05, 0.5]]
    )
    labels = np.array([1, 1, 0, 2, 1])
    found = worst(probabilities, labels)
    assert [(m.index, m.label, m.predicted) for m in found] == [
        (4, 1, 2),
        (2, 0, 2),
        (1, 1, 0),
        (3, 2, 0),
    ]
    assert [m.confidence for m in found] == [0.5, 0.6, 0.6, 0.5]
    assert worst(probabilities, labels, 2) == found[:2]


def test_mistakes_are_those_of_validation_where_there_is_one() -> None:
    network, (images, _) = problem()
    wrong = (network.predict(images) + 1) % 3
    training, validation = (images[:50], wrong[:50]), (images[50:], wrong[50:])
    probe = Probe(network, training, validation, loss=LOSS)
    seen = probe.observe()
    assert len(seen.mistakes) == 12
    for mistake in seen.mistakes:
        image = probe.held[0][mistake.index][None]
        assert network.predict(image)[0] == mistake.predicted
        probability = network.predict_proba(image).max()
        assert mistake.confidence == pytest.approx(probability, rel=1e-5)


def test_looking_writes_nothing_into_the_network_and_draws_nothing() -> None:
    network, examples = problem()
    before, drawn = network.state.tobytes(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    images = examples[0].tobytes()
    probe = Probe(network, examples, examples, loss=LOSS)
    for _ in range(3):
        probe.arm()
        probe.observe()
    assert network.state.tobytes() == before
    assert np.random.get_state()[1].tobytes() == drawn  # noqa: NPY002
    assert examples[0].tobytes() == images


def test_a_network_that_ran_away_is_told_as_none_not_as_an_error() -> None:
    network, examples = problem()
    network.W[0][...] = np.nan
    probe = Probe(network, examples, None, loss=LOSS)
    probe.arm()
    seen = probe.observe()
    assert seen.training.loss is None
    assert seen.layers[0].update_ratio is None


def test_the_examples_looked_at_are_spread_over_all_of_them() -> None:
    images = np.arange(5000, dtype=np.float32)[:, None]
    few, labels = sample((images, np.arange(5000)))
    assert len(few) == EXAMPLES
    assert (few[0, 0], few[-1, 0]) == (0, 4999)
    assert np.ptp(np.diff(few[:, 0])) <= 1
    assert np.array_equal(few[:, 0], labels)
    assert len(sample((images[:7], np.arange(7)))[1]) == 7


def test_pictures_of_weights_give_the_weights_back() -> None:
    rng = np.random.default_rng(0)
    W = rng.uniform(-0.3, 0.3, (16, 30)).astype(np.float32)
    W[0, 0] = 0
    pictures, scale = as_pictures(W, 5)
    assert pictures.shape == (5, 16)
    assert pictures[0, 0] == 128
    back = (pictures.astype(float) - 128) / 127 * scale
    inside = np.abs(W[:, :5].T) <= scale
    np.testing.assert_allclose(back[inside], W[:, :5].T[inside], atol=scale / 254 * 1.01)
    assert as_pictures(np.zeros((4, 2), np.float32))[1] == 1.0
    assert as_pictures(np.full((4, 2), np.nan, np.float32))[0].tolist() == [[128] * 4] * 2


def test_pictures_of_examples_are_grey_from_black_to_white() -> None:
    images = np.array([[0, 0.25, 0.5], [0, 0, 0], [0, 127.5, 255]], np.float32)
    assert grey(images).tolist() == [[0, 128, 255], [0, 0, 0], [0, 128, 255]]

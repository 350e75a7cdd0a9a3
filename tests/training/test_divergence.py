"""Training that runs away is stopped and undone; data that do not fit are refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.errors import DivergenceError
from chainrule.core.rng import fold_in
from chainrule.nn.network import Network
from chainrule.optim.schedules import Schedule
from chainrule.training.checks import check_examples
from chainrule.training.divergence import KEEP_EVERY
from chainrule.training.evaluate import evaluate
from chainrule.training.train import Epoch, train

Settings = dict[str, Any]


def problem(activation: str = "leaky-relu") -> tuple[Network, tuple[Array, Array]]:
    """(a float32 network 8 -> 16 -> 16 -> 3, 200 examples)"""
    rng = np.random.default_rng(1)
    network = Network.dense([8, 16, 16, 3], activation, rng=rng)
    return network, (rng.random((200, 8)).astype(np.float32), rng.integers(0, 3, 200))


def diverge(
    network: Network, examples: tuple[Array, Array], **settings: Any
) -> tuple[DivergenceError, int]:
    """(the error, the epochs that were completed before it)"""
    settings = {"rng": None, "optimizer": "sgd", "batch_size": 20, "epochs": 30, **settings}
    completed: list[Epoch] = []
    with pytest.raises(DivergenceError) as caught:
        completed.extend(train(network, examples, **settings))
    return caught.value, len(completed)


@pytest.mark.parametrize("activation", ["identity", "leaky-relu", "elu"])
@pytest.mark.parametrize("rate", [1e3, 1e4, 1e5, 1e6])
def test_a_learning_rate_far_too_high_stops_at_once_and_changes_nothing(
    rate: float, activation: str
) -> None:
    network, examples = problem(activation)
    before = network.parameters.tobytes()
    error, _ = diverge(network, examples, learning_rate=rate)
    assert error.step <= 5
    assert error.layer in (None, 1, 2, 3)
    assert error.learning_rate == rate / 10
    assert f"at step {error.step}, first in " in str(error)
    assert f"at learning rate {rate:g}: try a learning rate of {rate / 10:g}" in str(error)
    assert str(error).endswith("the weights of step 0 are kept")
    assert "scale the inputs" not in str(error)
    # No hundredth step before it: what is kept are the first weights.
    assert network.parameters.tobytes() == before


class Jump(Schedule):
    """A rate of 0.01, and of a million from one step on."""

    def __call__(self, step: int) -> float:
        return 1e6 if step >= self.steps else 0.01


@pytest.mark.parametrize("step", [1, 99, 100, 101, 199, 250])
def test_the_weights_kept_are_those_before_the_last_hundredth_good_step(step: int) -> None:
    network, examples = problem()
    error, _ = diverge(network, examples, learning_rate=Jump(0.01, step))
    kept = (error.step - 1) // KEEP_EVERY * KEEP_EVERY
    assert str(error).endswith(f"the weights of step {kept} are kept")
    other, (images, labels) = problem()
    calls = iter(range(1000))
    list(
        train(
            other,
            (images, labels),
            rng=None,
            optimizer="sgd",
            batch_size=20,
            epochs=30,
            learning_rate=Jump(0.01, step),
            stop=lambda: next(calls) >= kept,
        )
    )
    assert network.parameters.tobytes() == other.parameters.tobytes()
    assert np.isfinite(network.parameters).all()


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_first_layer_that_is_not_finite_is_named(layer: int) -> None:
    network, examples = problem("identity")
    network.W[layer - 1][...] = 3e38
    error, _ = diverge(network, examples, learning_rate=0.01)
    assert error.step == 0
    assert error.layer == layer
    assert f"first in layer {layer} ({network.layers[layer - 1]})" in str(error)


def test_where_all_layers_are_finite_the_loss_itself_is_named() -> None:
    network, examples = problem()

    def loss(z: Array, y: Array, *_: object, label_smoothing: float = 0) -> tuple[float, Array]:
        return float("inf"), np.zeros_like(z)

    error, _ = diverge(network, examples, loss=loss, learning_rate=0.01)
    assert error.layer is None
    assert "the loss became inf at step 0, first in the loss itself" in str(error)


@pytest.mark.parametrize("validated", [True, False])
def test_the_very_last_step_is_watched_too(validated: bool) -> None:
    network, examples = problem()
    before = network.parameters.tobytes()
    settings: Settings = {"epochs": 1, "batch_size": 200, "learning_rate": Schedule(1e38)}
    if validated:
        settings["validation"] = examples
    error, completed = diverge(network, examples, **settings)
    assert (error.step, completed) == (1, 0)
    assert network.parameters.tobytes() == before


def test_inputs_that_were_not_scaled_are_mentioned() -> None:
    network, (images, labels) = problem()
    error, _ = diverge(network, (images * 255, labels), learning_rate=1e4)
    assert ", or scale the inputs: they reach 25" in str(error)


def test_after_good_epochs_early_stopping_still_gives_the_best_back() -> None:
    network, examples = problem()
    seen: list[bytes] = []
    epochs = train(
        network,
        examples,
        rng=None,
        optimizer="sgd",
        batch_size=20,
        epochs=30,
        learning_rate=Jump(0.01, 30),
        validation=examples,
        patience=5,
    )
    with pytest.raises(DivergenceError):
        seen.extend(network.parameters.tobytes() for _ in epochs)
    assert len(seen) == 3
    assert network.parameters.tobytes() == seen[-1]


def test_a_network_that_ran_away_is_evaluated_without_a_warning() -> None:
    network, examples = problem()
    network.parameters[...] = 3e38
    loss, accuracy = evaluate(network, examples)
    assert not np.isfinite(loss)
    assert 0 <= accuracy <= 1


def holes(images: Array, *values: float) -> Array:
    """A copy with these values at input 2 of images 3, 4, ..."""
    images = images.copy()
    images[3 : 3 + len(values), 2] = values
    return images


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (holes(X, np.nan), y), "image 3 has the value nan at input 2: every input"),
        (lambda X, y: (holes(X, -np.inf), y), "image 3 has the value -inf at input 2"),
        (lambda X, y: (holes(X, np.inf, -np.inf), y), "image 3 has the value inf at input 2"),
        (lambda X, y: (X, y + 1), r"label 3 of example \d+ is outside 0\.\.2: .* 3 outputs"),
        (lambda X, y: (X, y - 1), r"label -1 of example \d+ is outside 0\.\.2"),
        (lambda X, y: (X, y.astype(float)), "labels have .* float64: give one integer an example"),
        (lambda X, y: (X, np.eye(3)[y]), r"takes labels, .* shape \(200, 3\) .* give one integer"),
        (lambda X, y: (X.astype(np.float64), y), r"float64, the network is float32: .*astype"),
        (lambda X, y: (np.uint8(255 * X), y), r"images are uint8, the network is float32"),
        (lambda X, y: (X[:, :7], y), r"images have shape \(200, 7\): layer 1 takes 8 .* \(N, 8\)"),
        (lambda X, y: (X.reshape(-1, 2, 4), y), r"shape \(200, 2, 4\): layer 1 takes 8 inputs"),
        (lambda X, y: (X[:9], y), "9 images and 200 labels: give one label an image"),
        (lambda X, y: (X[:0], y[:0]), "0 images and 0 labels"),
    ],
)
def test_examples_that_do_not_fit_are_refused(
    change: Callable[[Array, Array], tuple[Array, Array]], message: str
) -> None:
    network, (images, labels) = problem()
    with pytest.raises(ValueError, match=message):
        check_examples(network, change(images, labels), loss="softmax-cross-entropy")


@pytest.mark.parametrize("place", ["examples", "validation"])
def test_both_sets_are_checked_before_the_first_step(place: str) -> None:
    network, (images, labels) = problem()
    before = network.parameters.tobytes()
    good, bad = (images, labels), (holes(images, np.nan), labels)
    sets = {"examples": good, "validation": good, place: bad}
    with pytest.raises(ValueError, match="image 3 has the value nan"):
        next(train(network, sets["examples"], rng=None, validation=sets["validation"]))
    assert network.parameters.tobytes() == before


def test_finite_values_whose_sum_is_not_are_welcome() -> None:
    network = Network.dense([8, 3], rng=np.random.default_rng(0), dtype=np.float64)
    examples = np.full((4, 8), 1.7e308), np.array([0, 1, 2, 0])
    check_examples(network, examples, loss="softmax-cross-entropy")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 3}, "patience 3 needs a validation set to measure: give validation="),
        ({"loss": "hinge"}, "unknown loss 'hinge': choose one of softmax-cross-entropy,"),
        ({"optimizer": "lion"}, "unknown optimizer 'lion': choose one of sgd, momentum,"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: Settings, message: str) -> None:
    network, examples = problem()
    with pytest.raises(ValueError, match=message):
        next(train(network, examples, rng=None, **settings))


def test_a_generator_without_a_seed_sequence_is_refused() -> None:
    bits = np.random.MT19937()
    bits._legacy_seeding(1)  # what numpy.random.seed(1) makes
    with pytest.raises(ValueError, match="made without a seed sequence: use "):
        fold_in(np.random.Generator(bits), 1)

"""Training: the same losses as PyTorch, the same bits for the same seed, the best weights kept."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.rng import fold_in
from chainrule.data.dataset import Dataset
from chainrule.nn.loss_buffers import Buffers
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.optim.schedules import OneCycle, Plateau, Schedule
from chainrule.training.evaluate import evaluate
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, train
from helpers.losses import OF_LABELS

Settings = dict[str, Any]
"""Arguments of `train` that a test varies."""


def problem(dtype: Any = np.float64, rows: int = 22) -> tuple[Network, tuple[Array, Array]]:
    """(6 -> 8 -> 5 -> 3 with tanh, (X, y)), the same at each call."""
    rng = np.random.default_rng(4)
    network = Network.dense([6, 8, 5, 3], "tanh", rng=rng, dtype=dtype)
    return network, (rng.random((rows, 6)).astype(dtype), rng.integers(0, 3, rows))


def run(settings: Settings, dtype: Any = np.float64) -> tuple[Network, list[Epoch]]:
    network, examples = problem(dtype)
    settings = {"rng": np.random.default_rng(1), "batch_size": 8, **settings}
    return network, list(train(network, examples, **settings))


# name -> (torch, parameters) -> torch's optimizer at learning rate 0.05
TORCH: dict[str, Callable[[Any, Any], Any]] = {
    "sgd": lambda torch, p: torch.optim.SGD(p, 0.05),
    "momentum": lambda torch, p: torch.optim.SGD(p, 0.05, momentum=0.9),
    "adam": lambda torch, p: torch.optim.Adam(p, 0.05),
}


def torch_epochs(torch: ModuleType, optimizer: str, settings: Settings) -> tuple[list[float], Any]:
    """(ten epoch losses, the weights of layer 1 after them), batches of 8 in file order."""
    network, (images, labels) = problem()
    W = [torch.tensor(W, requires_grad=True) for W in network.W]
    b = [torch.tensor(b, requires_grad=True) for b in network.b]
    theirs, losses = TORCH[optimizer](torch, W + b), []
    for _ in range(10):
        total = 0.0
        batches = zip(torch.tensor(images).split(8), torch.tensor(labels).split(8), strict=True)
        for A, y in batches:
            for i, (weight, bias) in enumerate(zip(W, b, strict=True)):
                A = torch.addmm(bias, torch.tanh(A) if i else A, weight)
            loss = torch.nn.functional.cross_entropy(
                A, y, label_smoothing=settings["label_smoothing"]
            )
            lengths = torch.stack([torch.linalg.vector_norm(weight) for weight in W])
            loss = loss + settings["l2"] / 2 * torch.sum(lengths**2)
            theirs.zero_grad()
            loss.backward()
            flat = torch.cat([p.grad.flatten() for p in W + b])
            # clip_grad_norm_ divides by the length + 1e-6, which would hide the twelfth digit.
            if flat.norm() > settings["max_norm"]:
                for p in W + b:
                    p.grad *= settings["max_norm"] / flat.norm()
            theirs.step()
            total += loss.item() * len(y)
        losses.append(total / len(labels))
    return losses, W[0].detach().numpy()


@pytest.mark.parametrize("optimizer", TORCH)
def test_ten_epochs_have_the_losses_and_the_weights_of_torch(
    torch: ModuleType, optimizer: str
) -> None:
    settings = {"l2": 0.01, "max_norm": 0.3, "label_smoothing": 0.1}
    losses, first_layer = torch_epochs(torch, optimizer, settings)
    network, epochs = run(
        {"rng": None, "epochs": 10, "optimizer": optimizer, "learning_rate": 0.05, **settings}
    )
    assert [epoch.objective for epoch in epochs] == pytest.approx(losses, rel=1e-10)
    np.testing.assert_allclose(network.W[0], first_layer, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("setting", ["l2", "max_norm", "label_smoothing"])
def test_each_of_these_settings_makes_a_difference(setting: str) -> None:
    plain, changed = run({})[1][-1].objective, run({setting: 0.1})[1][-1].objective
    assert changed != pytest.approx(plain, rel=1e-3)


def test_one_seed_gives_the_same_bits_twice_and_another_seed_others() -> None:
    first, again, other = (
        run({"rng": np.random.default_rng(seed), "epochs": 3}, np.float32)[0].parameters.tobytes()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def orders(rng: np.random.Generator | None, epochs: int) -> list[list[int]]:
    """The order of each epoch, as a loss that writes the labels down sees it."""
    network = Network.dense([1, 30], rng=np.random.default_rng(0))
    seen: list[list[int]] = []

    def loss(z: Array, y: Array, buffers: Buffers, *, label_smoothing: float = 0) -> Any:
        seen.append(y.tolist())
        return LOSSES["softmax-cross-entropy"].function(z, y, buffers)

    for _ in train(
        network,
        (np.zeros((30, 1), np.float32), np.arange(30)),
        rng=rng,
        epochs=epochs,
        batch_size=8,
        loss=loss,
    ):
        pass
    # Four batches an epoch.
    return [[*chain(*seen[start : start + 4])] for start in range(0, 4 * epochs, 4)]


def test_the_order_of_an_epoch_depends_on_the_seed_and_its_number_alone() -> None:
    used = np.random.default_rng(9)
    used.random(1000)
    fresh = orders(np.random.default_rng(9), 3)
    assert orders(used, 3) == fresh
    assert orders(np.random.default_rng(9), 1) == fresh[:1]
    assert orders(np.random.default_rng(10), 1) != fresh[:1]
    assert len({tuple(order) for order in fresh}) == 3
    assert all(sorted(order) == list(range(30)) for order in fresh)
    assert fresh[1] == fold_in(np.random.default_rng(9), 2).permutation(30).tolist()


def test_without_a_generator_each_epoch_has_the_order_of_the_file() -> None:
    assert orders(None, 2) == [list(range(30))] * 2


def test_generators_spawned_from_one_seed_have_orders_of_their_own() -> None:
    one, two = np.random.default_rng(0).spawn(2)
    assert orders(one, 1) != orders(two, 1)


def test_the_smaller_last_batch_is_trained_on_too() -> None:
    network, (images, labels) = problem()
    # Only the last two rows have anything in input 0: only they can move its weights.
    images[:, 0] = 0
    images[-2:, 0] = 1
    before = network.W[0].copy()
    settings = {"epochs": 1, "batch_size": 4, "optimizer": "sgd", "learning_rate": 0.1}
    (epoch,) = train(network, (images, labels), rng=None, **settings)
    assert epoch.step == 6
    assert (network.W[0][0] != before[0]).all()


def test_the_epochs_count_steps_and_carry_the_rate_of_their_last_step() -> None:
    schedule = OneCycle(0.1, 9)
    _, epochs = run({"epochs": 3, "learning_rate": schedule})
    assert [(epoch.epoch, epoch.step) for epoch in epochs] == [(1, 3), (2, 6), (3, 9)]
    assert [epoch.learning_rate for epoch in epochs] == [schedule(2), schedule(5), schedule(8)]
    assert all(epoch.seconds > 0 for epoch in epochs)
    assert epochs[0].validation_loss is epochs[0].validation_accuracy is None


def test_the_loss_of_an_epoch_is_the_mean_over_its_examples() -> None:
    network, (images, labels) = problem()
    expected, _ = evaluate(network, (images, labels))
    settings = {"epochs": 1, "learning_rate": Schedule(0.0), "batch_size": 8}
    (epoch,) = train(network, (images, labels), rng=np.random.default_rng(0), **settings)
    assert epoch.loss == pytest.approx(expected, rel=1e-12)


def test_validation_is_measured_and_not_trained_on() -> None:
    _, (images, labels) = problem(rows=30)
    without, plain = run({})
    with_it, epochs = run({"validation": (images[22:], labels[22:])})
    assert with_it.parameters.tobytes() == without.parameters.tobytes()
    assert [epoch.loss for epoch in epochs] == [epoch.loss for epoch in plain]
    expected = evaluate(with_it, (images[22:], labels[22:]))
    assert (epochs[-1].validation_loss, epochs[-1].validation_accuracy) == expected


@pytest.mark.parametrize("loss", OF_LABELS)
def test_evaluating_in_portions_is_evaluating_at_once(loss: str) -> None:
    network, (images, labels) = problem(rows=2500)
    mean, accuracy = evaluate(network, (images, labels), loss=loss)
    outputs = network.copy(np.float64)
    outputs.link = "identity"
    logits = outputs.predict_proba(images)
    assert mean == pytest.approx(LOSSES[loss].function(logits, labels)[0], rel=1e-12)
    assert accuracy == np.mean(logits.argmax(axis=1) == labels)


def overfitting() -> tuple[Network, tuple[Array, Array], Settings]:
    """A run that first learns a rule, then its 22 examples, six of them wrong, by heart."""
    network, (images, _) = problem(rows=200)
    labels = images[:, :3].argmax(axis=1)
    taught = np.where(np.arange(22) % 4 == 3, (labels[:22] + 1) % 3, labels[:22])
    settings = {"validation": (images[22:], labels[22:]), "learning_rate": 0.1, "batch_size": 8}
    return network, (images[:22], taught), settings


@pytest.mark.parametrize("ending", ["patience", "epochs", "break", "stop", "an exception"])
def test_early_stopping_gives_the_best_weights_back_however_it_ends(ending: str) -> None:
    network, examples, settings = overfitting()
    calls = iter(range(1000))
    settings["epochs"] = 12 if ending == "epochs" else 200
    settings["patience"] = 6 if ending == "patience" else 1000
    if ending == "stop":
        settings["stop"] = lambda: next(calls) >= 40
    progress, seen = Progress(), []
    epochs = train(network, examples, rng=None, progress=progress, **settings)
    size = network.parameters.size
    for epoch in epochs:
        # The network holds the best so far; training goes on from what the progress holds.
        trained = progress.arrays["parameters"][:size].tobytes()
        seen.append((epoch.validation_loss, trained))
        if epoch.epoch == 15 and ending == "break":
            epochs.close()
        if epoch.epoch == 15 and ending == "an exception":
            with pytest.raises(KeyError):
                epochs.throw(KeyError())
    best = min(range(len(seen)), key=lambda i: seen[i][0])
    assert 0 < best < len(seen) - 1
    assert network.parameters.tobytes() == seen[best][1]
    expected = {"patience": best + 8, "epochs": 12, "stop": 13, "break": 15, "an exception": 15}
    assert len(seen) == expected[ending]


def test_without_patience_the_last_weights_stay() -> None:
    network, examples, settings = overfitting()
    epochs = train(network, examples, rng=None, epochs=15, **settings)
    seen = [(epoch.validation_loss, network.parameters.tobytes()) for epoch in epochs]
    assert min(seen) != seen[-1]
    assert network.parameters.tobytes() == seen[-1][1]


@pytest.mark.parametrize("with_validation", [True, False])
def test_the_schedule_hears_the_validation_loss_or_else_the_training_loss(
    with_validation: bool,
) -> None:
    heard: list[float] = []

    class Listener(Schedule):
        def observe(self, loss: float) -> None:
            heard.append(loss)

    _, validation = problem(rows=9)
    settings: Settings = {"validation": validation} if with_validation else {}
    _, epochs = run({"learning_rate": Listener(0.01), "epochs": 4, **settings})
    expected = [e.validation_loss if with_validation else e.loss for e in epochs]
    assert heard == expected


def test_a_plateau_lowers_the_rate_of_the_epochs_after_it() -> None:
    network, examples, settings = overfitting()
    settings["learning_rate"] = Plateau(0.1, patience=2)
    epochs = list(train(network, examples, rng=None, epochs=40, **settings))
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 0.1
    assert rates[-1] < 0.02


@pytest.mark.parametrize("steps", [0, 1, 3, 4])
def test_stop_ends_training_after_a_whole_step(steps: int) -> None:
    calls = iter(range(100))
    stopped, epochs = run({"rng": None, "stop": lambda: next(calls) >= steps, "optimizer": "sgd"})
    assert len(epochs) == (1 if steps >= 3 else 0)
    network, (images, labels) = problem()
    parts = [slice(0, 8), slice(8, 16), slice(16, 22), slice(0, 8)]
    for part in parts[:steps]:
        list(train(network, (images[part], labels[part]), rng=None, optimizer="sgd", epochs=1))
    assert network.parameters.tobytes() == stopped.parameters.tobytes()


def test_an_optimizer_and_a_loss_of_ones_own_are_taken_as_they_are() -> None:
    network, _ = problem()
    optimizer = OPTIMIZERS["adam"](network.parameters.size, np.float64)
    own = run({"optimizer": optimizer, "loss": LOSSES["softmax-cross-entropy"].function})[0]
    assert own.parameters.tobytes() == run({})[0].parameters.tobytes()
    assert optimizer.steps == 15


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs = 0: give a number from 1 to"),
        ({"l2": -1.0}, "l2 = -1.0: give a number from 0 to"),
        ({"average": 1.0}, "average = 1.0: give a number from 0 to 0.99"),
        ({"max_norm": np.nan}, "max_norm = nan: give a number from 0"),
        ({"batch_size": -1}, "batch_size = -1: give a number from 0"),
    ],
)
def test_an_option_out_of_its_range_is_refused_as_a_setting_is(
    settings: Settings, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        run(settings)


@pytest.mark.parametrize("name", ["patience", "l2", "max_norm", "max_weight_norm", "average"])
def test_zero_is_off(name: str) -> None:
    plain = run({})[0]
    assert run({name: 0})[0].parameters.tobytes() == plain.parameters.tobytes()


def test_a_batch_of_zero_is_all_examples_at_once() -> None:
    whole, everything = run({"batch_size": 10**6})[0], run({"batch_size": 0})[0]
    assert whole.parameters.tobytes() == everything.parameters.tobytes()


def test_two_epochs_on_real_digits_pass_95_percent(mnist: Dataset) -> None:
    network = Network.dense([784, 64, 10], rng=np.random.default_rng(0))
    settings: Settings = {"epochs": 2, "batch_size": 512, "learning_rate": 5e-3}
    epochs = list(train(network, mnist.train, rng=np.random.default_rng(0), **settings))
    assert epochs[1].loss < epochs[0].loss
    assert evaluate(network, mnist.test)[1] > 0.95

"""The training loss is the quantity that validation shows; what is minimised stands beside it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.optim.optimizers import CHUNK
from chainrule.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from chainrule.training.objective import loss_and_gradient
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, as_epoch, train
from conftest import oracle
from helpers.losses import OF_LABELS

REGULARIZED = [{"label_smoothing": 0.1}, {"l2": 0.1}, {"label_smoothing": 0.1, "l2": 0.1}]


def problem(loss: str) -> tuple[Network, tuple[Array, Array]]:
    rng = np.random.default_rng(0)
    output, link = LOSSES[loss].output, LOSSES[loss].link
    network = Network.dense([20, 12, 4], rng=rng, output=output, link=link, dtype=np.float64)
    return network, (rng.standard_normal((60, 20)), rng.integers(0, 4, 60))


def still(loss: str, **settings: Any) -> Epoch:
    """An epoch at a rate at which nothing moves, validated on the examples of training."""
    network, examples = problem(loss)
    (epoch,) = train(
        network, examples, rng=np.random.default_rng(1), epochs=1, batch_size=16, loss=loss,
        optimizer="sgd", learning_rate=1e-12, validation=examples, **settings,
    )  # fmt: skip
    return epoch


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("settings", REGULARIZED)
@pytest.mark.parametrize("loss", OF_LABELS)
def test_training_loss_and_validation_loss_are_one_quantity(
    loss: str, settings: dict[str, float], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.training.microbatches.WORK_PER_CORE", 1)
    epoch = still(loss, threads=threads, **settings)
    assert epoch.loss == pytest.approx(epoch.validation_loss, rel=1e-9)
    assert abs(epoch.objective - epoch.loss) > 1e-4


@pytest.mark.parametrize("loss", ["softmax-cross-entropy", "sigmoid-cross-entropy"])
def test_the_compiled_step_tells_both_losses_too(loss: str) -> None:
    oracle("numba")
    ours = still(loss, label_smoothing=0.1)
    compiled = still(loss, label_smoothing=0.1, compiled=True)
    assert compiled.loss == pytest.approx(ours.loss, rel=1e-9)
    assert compiled.objective == pytest.approx(ours.objective, rel=1e-9)


def test_the_objective_is_torchs_loss_with_smoothing_and_penalty(torch: Any) -> None:
    epoch = still("softmax-cross-entropy", label_smoothing=0.1, l2=0.1)
    network, (X, y) = problem("softmax-cross-entropy")
    W, b = ([torch.tensor(each) for each in views] for views in (network.W, network.b))
    logits = torch.relu(torch.tensor(X) @ W[0] + b[0]) @ W[1] + b[1]
    function, labels = torch.nn.functional.cross_entropy, torch.tensor(y)
    penalty = 0.1 / 2 * sum(float((each**2).sum()) for each in W)
    smoothed = float(function(logits, labels, label_smoothing=0.1))
    assert epoch.objective == pytest.approx(smoothed + penalty, rel=1e-9)
    assert epoch.loss == pytest.approx(float(function(logits, labels)), rel=1e-9)


@pytest.mark.parametrize("loss", OF_LABELS)
def test_without_smoothing_and_penalties_there_is_one_loss(loss: str) -> None:
    epoch = still(loss)
    assert epoch.objective == epoch.loss


def test_an_epoch_recorded_without_an_objective_had_it_as_its_loss() -> None:
    record = asdict(still("softmax-cross-entropy", l2=0.1))
    assert as_epoch(record) == Epoch(**record)
    del record["objective"]
    assert as_epoch(record).objective == record["loss"]


def test_a_checkpoint_without_an_objective_is_read(tmp_path: Path, monkeypatch: Any) -> None:
    cut = Progress(step=2, batches=2, examples=32, loss=7.0, objective=9.0)
    plain_numbers = Progress.numbers
    for without, objective in ((False, 9.0), (True, 7.0)):
        monkeypatch.setattr(
            Progress, "numbers", lambda self, names=("objective",) * without: {
                name: value for name, value in plain_numbers(self).items() if name not in names
            },
        )  # fmt: skip
        path = write_checkpoint(tmp_path, Checkpoint(cut, [], {}, {}, {}))
        found = read_checkpoint(path).progress
        assert (found.loss, found.objective) == (7.0, objective)


def test_the_penalty_of_a_large_network_is_that_of_all_its_weights() -> None:
    rng = np.random.default_rng(0)
    network = Network.dense([700, 200, 4], rng=rng, dtype=np.float64)
    assert network.layout.weights_end > 2 * CHUNK
    examples = rng.standard_normal((9, 700)), rng.integers(0, 4, 9)
    plain, along = loss_and_gradient(network, examples)
    value, gradient = loss_and_gradient(network, examples, l2=0.1)
    weights = network.parameters[: network.layout.weights_end]
    assert value == pytest.approx(plain + 0.05 * float(weights @ weights), rel=1e-12)
    along[: weights.size] += 0.1 * weights
    np.testing.assert_allclose(gradient, along, rtol=1e-12)


def test_a_penalty_may_follow_the_weight_of_each_batch() -> None:
    rng, asked = np.random.default_rng(0), []
    weights = rng.random(60)
    network, (X, y) = problem("softmax-cross-entropy")

    def strength(weight: int | float) -> float:
        asked.append(weight)
        return 0.1 if weight == pytest.approx(weights[:40].sum()) else 0.2

    more: dict[str, Any] = {"rng": None, "epochs": 1, "batch_size": 40, "optimizer": "sgd"}
    (epoch,) = train(network, (X, y, weights), learning_rate=1e-12, l2=strength, **more)
    assert asked == pytest.approx([weights[:40].sum(), weights[40:].sum()])
    norm = sum(float(np.square(W).sum()) for W in network.W)
    expected = norm / 2 * (0.1 * asked[0] + 0.2 * asked[1]) / weights.sum()
    assert epoch.objective - epoch.loss == pytest.approx(expected)

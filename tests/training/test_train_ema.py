"""Averaged weights and statistics in training: measured, kept, and given up where it runs away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.errors import DivergenceError
from chainrule.nn.network import Network
from chainrule.optim.ema import EVERY
from chainrule.optim.schedules import Schedule
from chainrule.training.divergence import KEEP_EVERY
from chainrule.training.evaluate import evaluate
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, train
from training.test_train_regularized import Settings, problem


class Averaged:
    """A run with averaged weights, and what a plain loop makes of the weights it passed."""

    def __init__(self, decay: float = 0.9, *, epochs: int = 6, **settings: Any) -> None:
        self.network, examples = problem(rows=60, batch_norm=True, dropout=0.2)
        self.validation = examples[0][44:], examples[1][44:]
        self.progress, self.epochs = Progress(), list[Epoch]()
        self.during: list[Array] = []
        """The weights that training goes on from, after each epoch."""
        self.shown: list[Array] = []
        """The network's state after each epoch, as the caller sees it."""
        self.averages: list[Array] = []
        """The average after each epoch, once there is one."""
        passed: list[Array] = []
        settings = {"learning_rate": 0.05, "batch_size": 8, **settings}
        for epoch in train(
            self.network,
            (examples[0][:44], examples[1][:44]),
            rng=np.random.default_rng(0),
            epochs=epochs,
            average=decay,
            validation=self.validation,
            progress=self.progress,
            stop=lambda: bool(passed.append(self.network.state.copy())),  # type: ignore[func-returns-value]
            **settings,
        ):
            self.epochs.append(epoch)
            self.during.append(self.progress.arrays["parameters"].copy())
            self.shown.append(self.network.state.copy())
            average = passed[0].copy()
            for update in range(1, epoch.step // EVERY + 1):
                step = update * EVERY
                state = passed[step] if step < len(passed) else self.during[-1]
                d = min(decay**EVERY, (1 + update) / (10 + update))
                average = d * average + (1 - d) * state
            # Before its first update the average is that of untrained weights: not worth measuring.
            self.averages.append(average if epoch.step >= EVERY else self.during[-1])

    def holding(self, state: Array) -> Network:
        """The network with another state."""
        twin = self.network.copy()
        twin.state[...] = state
        return twin


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_what_is_measured_and_left_is_the_average_statistics_included(decay: float) -> None:
    run = Averaged(decay)
    np.testing.assert_allclose(run.network.state, run.averages[-1], rtol=1e-11, atol=1e-13)
    assert not np.allclose(run.network.statistics, run.during[-1][-run.network.statistics.size :])
    for epoch, average, shown in zip(run.epochs, run.averages, run.shown, strict=True):
        np.testing.assert_allclose(shown, average, rtol=1e-9, atol=1e-11)
        expected = evaluate(run.holding(average), run.validation)
        assert epoch.validation_loss == pytest.approx(expected[0], rel=1e-9)
        assert epoch.validation_accuracy == expected[1]


def test_the_average_is_only_watching() -> None:
    with_it = Averaged(0.9)
    network, examples = problem(rows=60, batch_norm=True, dropout=0.2)
    settings: Settings = {"learning_rate": 0.05, "batch_size": 8, "epochs": 6}
    examples = examples[0][:44], examples[1][:44]
    epochs = list(train(network, examples, rng=np.random.default_rng(0), **settings))
    assert with_it.during[-1].tobytes() == network.state.tobytes()
    assert [epoch.loss for epoch in with_it.epochs] == [epoch.loss for epoch in epochs]


def test_patience_gives_the_best_average_back() -> None:
    run = Averaged(0.5, epochs=200, patience=8, learning_rate=0.3)
    losses = [epoch.validation_loss for epoch in run.epochs]
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 1 == best + 9
    np.testing.assert_allclose(run.network.state, run.averages[best], rtol=1e-9, atol=1e-11)
    assert evaluate(run.network, run.validation)[0] == losses[best]


class Jump(Schedule):
    """A rate of 0.01, and one beyond all numbers from one step on."""

    def __call__(self, step: int) -> float:
        return 1e38 if step >= self.steps else 0.01


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("step", [1, 130])
def test_a_divergence_leaves_the_last_good_weights_and_statistics(
    step: int, average: float
) -> None:
    network, examples = problem(dtype=np.float32, batch_norm=True, dropout=0.2)
    passed: list[Array] = []

    def stop() -> bool:
        passed.append(network.state.copy())
        return False

    settings: Settings = {"optimizer": "sgd", "learning_rate": Jump(0.01, step), "average": average}
    settings |= {"batch_size": 4, "epochs": 40}
    with pytest.raises(DivergenceError) as caught:
        list(train(network, examples, rng=np.random.default_rng(0), stop=stop, **settings))
    kept = (caught.value.step - 1) // KEEP_EVERY * KEEP_EVERY
    assert str(caught.value).endswith(f"the weights of step {kept} are kept")
    assert network.state.tobytes() == passed[kept].tobytes()
    assert np.isfinite(network.state).all()


def test_patience_gives_the_best_back_after_a_divergence_too() -> None:
    network, examples = problem(dtype=np.float32, batch_norm=True)
    states: list[bytes] = []
    progress = Progress()
    epochs = train(
        network, examples, rng=np.random.default_rng(0), learning_rate=Jump(0.01, 40),
        optimizer="sgd", batch_size=4, epochs=40, average=0.9, patience=3,
        validation=examples, progress=progress,
    )  # fmt: skip
    with pytest.raises(DivergenceError):
        states.extend(progress.arrays["average"].tobytes() for _ in epochs)
    assert len(states) == 3
    assert network.state.tobytes() == states[-1]

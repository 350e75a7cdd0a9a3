"""A run that was cut anywhere and goes on ends in the same bits as one that never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.experiments.quirks import ScalarBiasGradient
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS, Optimizer
from chainrule.optim.schedules import SCHEDULES, Schedule, WarmUp
from chainrule.training.checkpoint import Checkpoint, latest, write_checkpoint
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, as_epoch, train
from conftest import oracle

EPOCHS, BATCHES = 4, 7
RNG = np.random.default_rng(5)
X = RNG.standard_normal((100, 12)).astype(np.float32)
Y = RNG.integers(0, 3, 100)


def network() -> Network:
    return Network.dense([12, 9, 3], "relu", rng=np.random.default_rng(1))


def optimizer(name: str, of: Network) -> Optimizer:
    if name == "scalar bias":
        return ScalarBiasGradient(optimizer("adam", of), of)
    return OPTIMIZERS[name](of.parameters.size, of.dtype, decayed=of.layout.weights_end)


def schedule(name: str) -> Schedule:
    if name == "warm-up, then plateau":
        return WarmUp(0.05, then=SCHEDULES["plateau"](0.05, 100), warm_up=5)
    return SCHEDULES[name](0.05, EPOCHS * BATCHES)


class Run:
    """One run, from nothing or from a saved progress, cut before a step or not at all."""

    def __init__(
        self, progress: Progress | None = None, *, cut: int = -1, save: Callable[[Any], None] = id,
        optimizer_name: str = "adam", schedule_name: str = "one-cycle", **options: Any,
    ) -> None:  # fmt: skip
        self.network = network()
        self.progress = progress or Progress()

        def stop() -> bool:
            if self.progress.step == cut:
                save(self)
            return self.progress.step == cut

        self.epochs: list[Epoch] = []
        for epoch in train(
            self.network,
            (X[:80], Y[:80]),
            rng=np.random.default_rng(3),
            epochs=EPOCHS,
            batch_size=12,
            validation=(X[80:], Y[80:]),
            optimizer=optimizer(optimizer_name, self.network),
            learning_rate=schedule(schedule_name),
            stop=stop,
            progress=self.progress,
            **options,
        ):
            self.epochs.append(epoch)


def through_a_file(folder: Path, run: Run) -> None:
    write_checkpoint(folder, Checkpoint(run.progress, [asdict(e) for e in run.epochs], {}, {}, {}))


def loaded(folder: Path) -> Checkpoint:
    found = latest(folder, report=pytest.fail)
    assert found
    return found


def untimed(epochs: list[Epoch]) -> list[dict[str, Any]]:
    return [asdict(epoch) | {"seconds": 0} for epoch in epochs]


def assert_same_end(folder: Path, cut: int, **options: Any) -> None:
    whole = Run(**options)
    Run(cut=cut, save=lambda run: through_a_file(folder, run), **options)
    saved = loaded(folder)
    assert saved.progress.step == cut
    second = Run(saved.progress, **options)
    assert second.network.parameters.tobytes() == whole.network.parameters.tobytes()
    for name, values in whole.progress.arrays.items():
        assert second.progress.arrays[name].tobytes() == values.tobytes(), name
    numbers = [run.progress.numbers() | {"seconds": 0} for run in (whole, second)]
    assert numbers[0] == numbers[1]
    before = [as_epoch(epoch) for epoch in saved.history]
    assert untimed(before + second.epochs) == untimed(whole.epochs)


@pytest.mark.parametrize("name", [*OPTIMIZERS, "scalar bias"])
@pytest.mark.parametrize("cut", [1, 6, 7, 8, 20, 27])
def test_each_optimizer_goes_on_to_the_same_bits(tmp_path: Path, name: str, cut: int) -> None:
    assert_same_end(tmp_path, cut, optimizer_name=name)


@pytest.mark.parametrize("name", [*SCHEDULES, "warm-up, then plateau"])
@pytest.mark.parametrize("cut", [3, 14, 22])
def test_each_schedule_goes_on_to_the_same_bits(tmp_path: Path, name: str, cut: int) -> None:
    assert_same_end(tmp_path, cut, schedule_name=name, optimizer_name="momentum")


@pytest.mark.parametrize("cut", range(1, EPOCHS * BATCHES))
def test_early_stopping_penalties_and_clipping_go_on_to_the_same_bits(
    tmp_path: Path, cut: int
) -> None:
    options = {"patience": 2, "l2": 1e-3, "max_norm": 0.5, "label_smoothing": 0.1}
    assert_same_end(tmp_path, cut, schedule_name="plateau", **options)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_machine_code_goes_on_to_the_same_bits(tmp_path: Path, name: str) -> None:
    oracle("numba")
    assert_same_end(tmp_path, 10, optimizer_name=name, compiled=True)


def test_a_run_that_lost_its_patience_does_not_go_on(tmp_path: Path) -> None:
    def save(run: Run) -> None:
        run.progress.waited, run.progress.best_step = 3, 7
        through_a_file(tmp_path, run)

    Run(cut=14, save=save, patience=2)
    assert not Run(loaded(tmp_path).progress, patience=2).epochs


def test_a_run_that_is_done_has_nothing_to_do(tmp_path: Path) -> None:
    whole = Run()
    through_a_file(tmp_path, whole)
    again = Run(loaded(tmp_path).progress)
    assert not again.epochs
    assert again.network.parameters.tobytes() == whole.network.parameters.tobytes()


def test_progress_of_another_run_is_refused(tmp_path: Path) -> None:
    Run(cut=5, save=lambda run: through_a_file(tmp_path, run))
    for options in ({"optimizer_name": "sgd"}, {"patience": 1}):
        with pytest.raises(ValueError, match="this progress is of another run"):
            Run(loaded(tmp_path).progress, **options)


def test_numbers_survive_json() -> None:
    numbers = Run(cut=9).progress.numbers()
    assert json.loads(json.dumps(numbers)) == numbers
    fresh = Progress()
    assert fresh.best_loss == json.loads(json.dumps(fresh.best_loss))

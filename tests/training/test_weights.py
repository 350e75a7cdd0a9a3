"""Final weights: what is measured, what the caller sees between epochs, what remains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn.network import Network
from chainrule.training.evaluate import evaluate
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, train

RNG = np.random.default_rng(0)
X = RNG.random((600, 20), dtype=np.float32)
NOISY = (X[:, 0] > 0.5).astype(int) ^ (RNG.random(600) < 0.3)
TRAINING, VALIDATION = (X[:100], NOISY[:100]), (X[100:], NOISY[100:])
KEPT = {"patience": {"patience": 100}, "average": {"average": 0.9},
        "both": {"patience": 100, "average": 0.9}}  # fmt: skip


def begun(progress: Progress | None = None, *, epochs: int = 40, **settings: Any) -> Any:
    """(the network, its epochs to come)"""
    network = Network.dense([20, 64, 2], rng=np.random.default_rng(1))
    run = train(
        network, TRAINING, rng=np.random.default_rng(2), epochs=epochs, learning_rate=0.01,
        validation=VALIDATION, progress=progress, **settings,
    )  # fmt: skip
    return network, run


def test_weights_of_the_best_epoch_are_there_before_the_generator_is_closed() -> None:
    network, run = begun(patience=100)
    seen: list[Epoch] = []
    for epoch in run:
        seen.append(epoch)
        best = min(one.validation_loss or 0 for one in seen)
        assert evaluate(network, VALIDATION)[0] == pytest.approx(best, rel=1e-6)
        if epoch.epoch == 30:
            break
    shown = network.state.tobytes()
    assert best < (seen[-1].validation_loss or 0)  # or nothing would have been put back
    run.close()
    assert network.state.tobytes() == shown


@pytest.mark.parametrize("kept", KEPT)
def test_looking_at_the_weights_between_epochs_changes_no_later_bit(kept: str) -> None:
    def states(*, look: bool) -> list[bytes]:
        network, run = begun(epochs=12, **KEPT[kept])
        for _ in run:
            if look:
                network.state[...] = 7  # what the caller does there is not trained on
        return [network.state.tobytes()]

    assert states(look=True) == states(look=False)


@pytest.mark.parametrize("kept", KEPT)
def test_a_progress_saved_between_epochs_resumes_to_the_same_bits(kept: str) -> None:
    whole, run = begun(epochs=20, **KEPT[kept])
    list(run)
    progress = Progress()
    _, run = begun(progress, epochs=20, **KEPT[kept])
    for epoch in run:
        if epoch.epoch == 11:
            saved: dict[str, Array] = {name: a.copy() for name, a in progress.arrays.items()}
            numbers = progress.numbers()
            break
    resumed, run = begun(Progress(**numbers, arrays=saved), epochs=20, **KEPT[kept])
    list(run)
    assert resumed.state.tobytes() == whole.state.tobytes()


def test_an_average_that_was_never_updated_is_not_measured_and_not_left() -> None:
    # One step an epoch: the average moves at the eighth, patience would have ended it before.
    network, run = begun(epochs=200, patience=5, average=0.9)
    first = network.parameters.copy()
    losses = [epoch.validation_loss for epoch in run]
    assert len({*losses[:6]}) == 6
    assert not np.array_equal(network.parameters, first)
    assert evaluate(network, VALIDATION)[0] == pytest.approx(min(losses), rel=1e-6)

"""The search for a learning rate: on a loss whose answer is known, and on real digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf, log10, nan

import numpy as np
import pytest

from chainrule.core.errors import DivergenceError
from chainrule.data.dataset import Dataset
from chainrule.nn.network import Network
from chainrule.optim.schedules import Exponential, Schedule
from chainrule.training.lr_finder import HIGHEST, LOWEST, RateSearch, find_rate, smooth
from chainrule.training.state import Losses, Progress
from chainrule.training.train import Epoch, train

Curve = Callable[[float], float]


def search(loss_at: Curve, steps: int = 200) -> RateSearch:
    """The search on a training whose loss depends on nothing but the learning rate."""

    def begin(schedule: Schedule, stop: Callable[[], bool], progress: Progress) -> Iterator[Epoch]:
        for step in range(10 * steps):
            if stop():
                return
            progress.add(Losses(loss_at(schedule(step)), 0.0), 1)
        yield from ()

    return find_rate(begin, steps=steps)


def test_it_suggests_a_tenth_of_the_rate_with_the_lowest_loss() -> None:
    found = search(lambda rate: (log10(rate) + 2) ** 2)
    assert 1e-3 <= found.suggestion <= 2.5e-3  # the average lags behind


def test_it_ends_where_the_loss_runs_away() -> None:
    found = search(lambda rate: 2.0 if rate < 1e-5 else 1.0 if rate < 0.1 else 50.0)
    assert 0.1 < found.rates[-1] < 0.3


def test_it_ends_at_the_highest_rate_if_the_loss_never_runs_away() -> None:
    found = search(lambda rate: 2 - log10(rate), steps=50)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == 50
    assert found.rates[0] == LOWEST
    assert found.rates[-1] < HIGHEST


def test_a_diverging_training_ends_the_search_and_is_no_failure() -> None:
    def begin(schedule: Schedule, stop: Callable[[], bool], progress: Progress) -> Iterator[Epoch]:
        for loss in (3.0, 2.0, 1.0, nan):
            progress.add(Losses(loss, 0.0), 1)
        raise DivergenceError("too far", step=4, layer=None, learning_rate=1e-3)
        yield

    assert find_rate(begin).losses == [3.0, 2.0, 1.0]


def test_a_first_loss_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match=r"first loss is not finite: scale the inputs"):
        search(lambda rate: inf, steps=2)


@pytest.mark.parametrize("losses", [lambda rate: 1.0, lambda rate: 1.0 + rate])
def test_where_no_rate_lets_the_loss_fall_none_is_suggested(losses: Losses) -> None:
    with pytest.raises(ValueError, match=r"did not fall below the 1 that it began with, in \d+ "):
        search(losses)


def test_the_average_of_equal_losses_is_that_loss_from_the_first_on() -> None:
    assert smooth([2.5] * 7) == pytest.approx([2.5] * 7)
    assert smooth([]) == []


def test_the_rate_grows_by_the_same_factor_at_each_step() -> None:
    schedule = Exponential(1e-4, 10, highest=1.0)
    rates = [schedule(step) for step in range(11)]
    np.testing.assert_allclose(rates, np.geomspace(1e-4, 1.0, 11))


def test_on_digits_the_rate_it_suggests_trains_and_a_thousand_times_less_does_not(
    mnist: Dataset,
) -> None:
    images, labels = (part[:3000] for part in mnist.train)

    def loss_after(rate: float) -> float:
        network = Network.dense([784, 32, 10], rng=np.random.default_rng(0))
        epochs = train(
            network, (images, labels), rng=np.random.default_rng(1), epochs=2, learning_rate=rate
        )
        return [epoch.loss for epoch in epochs][-1]

    def begin(schedule: Schedule, stop: Callable[[], bool], progress: Progress) -> Iterator[Epoch]:
        network = Network.dense([784, 32, 10], rng=np.random.default_rng(0))
        return train(
            network, (images, labels), rng=np.random.default_rng(1), epochs=20,
            learning_rate=schedule, stop=stop, progress=progress,
        )  # fmt: skip

    found = find_rate(begin)
    assert found.losses[0] == pytest.approx(np.log(10), rel=0.3)
    assert loss_after(found.suggestion) < 0.6
    assert loss_after(found.suggestion / 1000) > 1.8

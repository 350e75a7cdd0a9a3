"""The moving average of the weights, beside PyTorch's and beside the sum written out."""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.threads import SERIAL, ThreadTeam
from chainrule.optim.ema import EMA, EVERY
from chainrule.optim.optimizers import CHUNK

SIZES = {"a few": 7, "chunks and a rest": 2 * CHUNK + 1001}


def walk(
    decay: float, steps: int, *, size: int = 7, dtype: Any = np.float64, team: ThreadTeam = SERIAL
) -> tuple[list[Array], list[Array]]:
    """(the weights, the average) before the first step and after each of them."""
    rng = np.random.default_rng(3)
    weights = rng.normal(size=size).astype(dtype)
    average = weights.copy()
    averager = EMA(average, weights, decay)
    walked = [(weights.copy(), average.copy())]
    for step in range(1, steps + 1):
        weights += rng.normal(0, 0.1, size).astype(dtype)
        averager.update(step, team)
        walked.append((weights.copy(), average.copy()))
    weights_then, averages = zip(*walked, strict=True)
    return [*weights_then], [*averages]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-6)])
@pytest.mark.parametrize("decay", [0.9, 0.99, 0.999])
@pytest.mark.parametrize("size", SIZES)
def test_the_average_is_torchs_with_the_decay_of_so_many_steps(
    torch: ModuleType, size: str, decay: float, dtype: Any, tolerance: float
) -> None:
    weights, averages = walk(decay, 10 * EVERY, size=SIZES[size], dtype=dtype)
    theirs = torch.tensor(weights[0], dtype=torch.float64)
    for update in range(1, 11):
        early = (1 + update) / (10 + update)
        rule = torch.optim.swa_utils.get_ema_avg_fn(min(decay**EVERY, early))
        theirs = rule(theirs, torch.tensor(weights[update * EVERY]), update)
        np.testing.assert_allclose(
            averages[update * EVERY], theirs.numpy(), rtol=tolerance, atol=tolerance
        )


def test_the_average_is_the_sum_of_all_weights_each_with_its_share() -> None:
    decay, updates = 0.95, 200
    weights, averages = walk(decay, updates * EVERY)
    decays = [min(decay**EVERY, (1 + t) / (10 + t)) for t in range(1, updates + 1)]
    # What was taken in at update t has shrunk by each later decay; the first weights by all.
    shares = [(1 - d) * np.prod(decays[t:]) for t, d in enumerate(decays, 1)]
    shares.insert(0, np.prod(decays))
    assert sum(shares) == pytest.approx(1, rel=1e-12)
    expected = np.array(shares) @ np.array(weights[::EVERY])
    np.testing.assert_allclose(averages[-1], expected, rtol=1e-12)


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_between_two_updates_nothing_moves(decay: float) -> None:
    _, averages = walk(decay, 5 * EVERY)
    moved = [
        step
        for step, (before, after) in enumerate(pairwise(averages), 1)
        if before.tobytes() != after.tobytes()
    ]
    assert moved == [EVERY * update for update in range(1, 6)]


@pytest.mark.parametrize(
    ("decay", "kept"),
    [
        # 2/11, 3/12, 4/13, ... until the decay of eight steps is less.
        (0.9999, [2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15]),
        (0.87, [2 / 11, 3 / 12, 4 / 13, 0.87**8, 0.87**8]),
        (0.5, [0.5**8] * 5),
    ],
)
def test_at_the_beginning_the_average_forgets_sooner(decay: float, kept: list[float]) -> None:
    assert 4 / 13 < 0.87**8 < 5 / 14
    weights, average = np.zeros(3), np.ones(3)
    averager = EMA(average, weights, decay)
    for step in range(1, 5 * EVERY + 1):
        averager.update(step)
    np.testing.assert_allclose(average, np.prod(kept), rtol=1e-13)


@pytest.mark.parametrize(("updates", "kept"), [(1000, 1001 / 1010), (1200, 0.999**EVERY)])
def test_the_early_rule_has_its_say_for_a_thousand_updates(updates: int, kept: float) -> None:
    # (1 + t) / (10 + t) passes 0.999^8 at t = 1119.
    weights, average = np.zeros(3), np.ones(3)
    EMA(average, weights, 0.999).update(updates * EVERY)
    np.testing.assert_allclose(average, kept, rtol=1e-13)


def test_without_decay_the_average_is_the_last_weights() -> None:
    weights, averages = walk(0.0, 3 * EVERY)
    np.testing.assert_allclose(averages[-1], weights[-1], rtol=1e-14)


def test_weights_that_rest_are_their_own_average() -> None:
    weights = np.random.default_rng(0).normal(size=5).astype(np.float32)
    average = weights.copy()
    averager = EMA(average, weights, 0.999)
    for step in range(1, 100):
        averager.update(step)
    assert average.tobytes() == weights.tobytes()


def test_the_weights_themselves_are_left_alone() -> None:
    weights, average = np.ones(5), np.zeros(5)
    EMA(average, weights, 0.9).update(EVERY)
    assert average.all()
    assert weights.tolist() == [1.0] * 5


@pytest.mark.parametrize("size", SIZES)
def test_a_team_comes_to_the_same_bits_as_one_worker(size: str) -> None:
    alone = walk(0.99, 2 * EVERY, size=SIZES[size], dtype=np.float32)[1][-1]
    for workers in (2, 3):
        with ThreadTeam(workers) as team:
            shared = walk(0.99, 2 * EVERY, size=SIZES[size], dtype=np.float32, team=team)[1][-1]
        assert shared.tobytes() == alone.tobytes()


def test_the_average_of_a_walk_around_a_place_is_nearer_to_it_than_the_walk() -> None:
    rng = np.random.default_rng(0)
    weights, average = np.zeros(1000), np.zeros(1000)
    averager = EMA(average, weights, 0.99)
    for step in range(1, 3001):
        weights[...] = rng.normal(size=1000)
        averager.update(step)
    # A sum of independent steps with shares s, s d, s d^2, ...: variance s / (2 - s).
    share = 1 - 0.99**EVERY
    assert average.var() == pytest.approx(share / (2 - share), rel=0.15)

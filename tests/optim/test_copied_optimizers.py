"""Optimizers and schedules, copied and pickled, continue as if nothing had been copied."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.experiments.quirks import ScalarBiasGradient
from chainrule.optim.optimizers import FLUSH_EVERY, OPTIMIZERS, Adam, Optimizer
from chainrule.optim.schedules import SCHEDULES, Exponential, Schedule, WarmUp
from conftest import oracle
from helpers.copying import assert_small, every_way, network, share_memory


def make_optimizer(name: str, parameters: Array) -> Optimizer:
    if name == "scalar bias":
        of = network()
        return ScalarBiasGradient(Adam(of.parameters.size), of)
    made = OPTIMIZERS[name.removeprefix("compiled ")](parameters.size, decayed=100)
    if name.startswith("compiled "):
        oracle("numba")
        made.compile()
    return made


def descend(optimizer: Optimizer, parameters: Array, steps: range) -> None:
    for step in steps:
        g = np.random.default_rng(step).standard_normal(parameters.size, np.float32)
        optimizer.step(parameters, g, 0.01)


@every_way
@pytest.mark.parametrize("steps", [0, 1, FLUSH_EVERY - 1])
@pytest.mark.parametrize("name", [*OPTIMIZERS, "compiled adam", "compiled adamw", "scalar bias"])
def test_a_copied_optimizer_continues_to_the_same_bits(
    name: str, steps: int, way: Callable[[Any], Any]
) -> None:
    start = network().parameters
    wanted, parameters = start.copy(), start.copy()
    descend(make_optimizer(name, start), wanted, range(steps + 5))
    original = make_optimizer(name, start)
    descend(original, parameters, range(steps))
    # The copy of a wrapper is as shallow as any: the optimizer within is the same.
    twin = copy.deepcopy(original) if way is copy.copy and name == "scalar bias" else way(original)
    assert not share_memory(twin, original)
    assert_small(original, [*original.state.values(), *([start] if name == "scalar bias" else [])])
    for each in (twin, original):
        end = parameters.copy()
        descend(each, end, range(steps, steps + 5))
        assert end.tobytes() == wanted.tobytes()
        assert each.steps == steps + 5


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_pickle_of_an_optimizer_has_no_scratch_memory(name: str) -> None:
    large = OPTIMIZERS[name](100_000)
    assert_small(large, [*large.state.values()])


def make_schedule(name: str) -> Schedule:
    if name == "warm-up":
        return WarmUp(0.05, then=SCHEDULES["plateau"](0.05, 100), warm_up=5)
    return Exponential(0.01, 100) if name == "exponential" else SCHEDULES[name](0.05, 100)


@every_way
@pytest.mark.parametrize("name", [*SCHEDULES, "exponential", "warm-up"])
def test_a_copied_schedule_continues_at_the_same_rates(
    name: str, way: Callable[[Any], Any]
) -> None:
    def rates(schedule: Schedule, losses: list[float]) -> list[float]:
        for loss in losses:
            schedule.observe(loss)
        return [schedule(step) for step in range(100)]

    seen, coming = [0.5, 0.6, 0.6], [0.7, 0.7, 0.8, 0.8, 0.8]
    whole, original = make_schedule(name), make_schedule(name)
    wanted = rates(whole, seen), rates(whole, coming)
    rates(original, seen)
    twin = way(original)
    assert twin == original
    assert rates(twin, coming) == wanted[1]
    assert rates(original, []) == wanted[0]

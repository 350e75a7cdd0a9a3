"""Each schedule beside its namesake in PyTorch, and at the ends of its range."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.optim.schedules import (
    SCHEDULES,
    Cosine,
    OneCycle,
    Plateau,
    Schedule,
    Step,
    WarmUp,
)

PEAK = 0.1


def torch_rates(torch: ModuleType, make: Callable[[Any], Any], steps: int) -> list[float]:
    """The rates that torch's scheduler gives to steps 0, 1, ..., steps - 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], PEAK)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return rates


def our_rates(schedule: Schedule, steps: int) -> list[float]:
    return [schedule(step) for step in range(steps)]


@pytest.mark.parametrize("steps", [4, 5, 10, 33, 100])
def test_one_cycle_is_that_of_torch(torch: ModuleType, steps: int) -> None:
    def make(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=PEAK, total_steps=steps, cycle_momentum=False
        )

    expected = torch_rates(torch, make, steps)
    assert our_rates(OneCycle(PEAK, steps), steps) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 10, 33, 100])
def test_cosine_is_that_of_torch(torch: ModuleType, steps: int) -> None:
    def make(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)

    expected = torch_rates(torch, make, steps)
    assert our_rates(Cosine(PEAK, steps), steps) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("steps", [3, 6, 30, 51, 99, 300])
def test_step_is_that_of_torch_at_thirds(torch: ModuleType, steps: int) -> None:
    def make(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.StepLR(optimizer, steps // 3, gamma=0.1)

    expected = torch_rates(torch, make, steps)
    assert our_rates(Step(PEAK, steps), steps) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("warm_up", [2, 5, 10])
def test_the_line_of_the_warm_up_is_that_of_torch(torch: ModuleType, warm_up: int) -> None:
    def make(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.LinearLR(
            optimizer, start_factor=1 / warm_up, total_iters=warm_up - 1
        )

    expected = torch_rates(torch, make, warm_up)
    ours = our_rates(WarmUp(PEAK, warm_up=warm_up), warm_up)
    assert ours == pytest.approx(expected, rel=1e-12)


@given(losses=st.lists(st.floats(0.01, 2), min_size=1, max_size=40))
def test_plateau_is_that_of_torch(torch: ModuleType, losses: list[float]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], PEAK)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, eps=0)
    ours = Plateau(PEAK)
    for step, loss in enumerate(losses):
        theirs.step(loss)
        ours.observe(loss)
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)


@pytest.mark.parametrize(("second", "lowered"), [(0.99991, True), (0.99989, False)])
def test_plateau_asks_for_a_loss_lower_by_a_ten_thousandth(second: float, lowered: bool) -> None:
    schedule = Plateau(PEAK)
    for loss in (1.0, second, second, second):
        schedule.observe(loss)
    assert (schedule(0) < PEAK) == lowered


def test_plateau_takes_a_loss_that_is_not_a_number_for_no_progress() -> None:
    schedule = Plateau(PEAK)
    for _ in range(4):
        schedule.observe(math.nan)
    assert schedule(0) < PEAK
    assert schedule.best == math.inf


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_run_of_no_or_few_steps_has_finite_rates_up_to_the_peak(name: str, steps: int) -> None:
    schedule = SCHEDULES[name](PEAK, steps)
    rates = [schedule(step) for step in range(steps + 3)]
    assert all(math.isfinite(rate) and 0 <= rate <= PEAK for rate in rates)
    assert rates[0] > 0


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_schedule_passes_the_peak_or_rises_after_it(name: str) -> None:
    rates = our_rates(SCHEDULES[name](PEAK, 200), 260)
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(PEAK, rel=1e-12)
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_after_its_last_step_a_falling_schedule_stays_down() -> None:
    assert Cosine(PEAK, 10)(11) == Cosine(PEAK, 10)(10) == 0
    assert OneCycle(PEAK, 10)(15) == pytest.approx(PEAK / 250_000)


def test_the_constant_stays_and_does_not_listen() -> None:
    schedule = Schedule(PEAK, 10)
    for loss in (1.0, 2.0, 3.0, 4.0, 5.0):
        schedule.observe(loss)
    assert our_rates(schedule, 20) == [PEAK] * 20


def test_after_the_warm_up_the_other_schedule_begins_at_its_start() -> None:
    schedule = WarmUp(PEAK, then=Cosine(PEAK, 10), warm_up=4)
    assert our_rates(schedule, 4) == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert [schedule(4 + step) for step in range(10)] == our_rates(Cosine(PEAK, 10), 10)


def test_without_warm_up_steps_there_is_none() -> None:
    assert our_rates(WarmUp(PEAK, then=Cosine(PEAK, 5)), 5) == our_rates(Cosine(PEAK, 5), 5)


def test_the_warm_up_passes_the_loss_on() -> None:
    schedule = WarmUp(PEAK, then=Plateau(PEAK), warm_up=2)
    WarmUp(PEAK, warm_up=2).observe(1.0)
    for _ in range(4):
        schedule.observe(1.0)
    assert schedule(5) == pytest.approx(PEAK / 10)

"""Commands to a run: which are taken, and what a changed learning rate does to each schedule."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from chainrule.experiments.quirks import QUIRK_SCHEDULES
from chainrule.monitor.control import Command, change_rate, read_command
from chainrule.optim.schedules import SCHEDULES, Schedule, WarmUp

STEPS = 100


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"action": "pause"}, Command("pause")),
        ({"action": "resume"}, Command("resume")),
        ({"action": "stop"}, Command("stop")),
        ({"action": "rate", "factor": 0.5}, Command("rate", 0.5)),
        ({"action": "rate", "factor": 2}, Command("rate", 2.0)),
        ({"action": "rate", "rate": 1e-3}, Command("rate", rate=1e-3)),
    ],
)
def test_a_command_is_understood(body: dict[str, Any], command: Command) -> None:
    assert read_command(body) == command


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "a command is a table"),
        (None, "a command is a table"),
        ({}, "action 'None': choose one of pause, resume, rate, stop"),
        ({"action": "explode"}, "'explode': choose one of"),
        ({"action": ["pause"]}, "choose one of"),
        ({"action": "x" * 10_000}, "choose one of"),
        ({"action": "pause", "factor": 2}, "leave out 'factor'"),
        ({"action": "rate"}, "either a factor"),
        ({"action": "rate", "factor": 2, "rate": 1}, "either a factor"),
        ({"action": "rate", "speed": 2}, "either a factor"),
        ({"action": "rate", "factor": "2"}, "factor 2: give a number"),
        ({"action": "rate", "factor": True}, "factor True: give a number"),
        ({"action": "rate", "factor": None}, "factor None: give a number"),
        ({"action": "rate", "factor": 0}, "factor 0: give a number from 1e-12"),
        ({"action": "rate", "factor": -1}, "factor -1: give"),
        ({"action": "rate", "rate": nan}, "rate nan: give"),
        ({"action": "rate", "rate": inf}, "rate inf: give"),
        ({"action": "rate", "rate": 10**400}, "rate 1000"),
    ],
)
def test_what_is_no_command_is_refused_in_one_short_sentence(body: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{,200}$") as caught:
        read_command(body)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warm_up", [0, 20])
def test_every_schedule_goes_on_in_its_shape_at_the_new_height(name: str, warm_up: int) -> None:
    def made() -> Schedule:
        schedule = SCHEDULES[name](0.1, STEPS)
        return WarmUp(0.1, then=schedule, warm_up=warm_up) if warm_up else schedule

    changed, plain = made(), made()
    before, after = change_rate(changed, 30, Command("rate", 0.25))
    assert (before, after) == pytest.approx((plain(30), plain(30) / 4))
    for step in (0, 10, 31, 60, 98):
        assert changed(step) == pytest.approx(plain(step) / 4, rel=1e-9)


def test_a_rate_is_reached_exactly_where_it_was_asked_for() -> None:
    schedule = SCHEDULES["cosine"](0.1, STEPS)
    assert change_rate(schedule, 50, Command("rate", rate=0.002))[1] == pytest.approx(0.002)
    assert schedule(50) == pytest.approx(0.002)


def test_a_schedule_that_does_not_follow_refuses_and_stays_as_it_was() -> None:
    schedule = QUIRK_SCHEDULES["tenth-after-75"](0.5, STEPS)
    with pytest.raises(ValueError, match=r"at step 80 is 0\.1 by its recipe"):
        change_rate(schedule, 80, Command("rate", 0.5))
    assert (schedule(10), schedule(80)) == (0.5, 0.1)
    assert change_rate(schedule, 10, Command("rate", 0.5)) == (0.5, 0.25)
    done = SCHEDULES["cosine"](0.1, STEPS)
    with pytest.raises(ValueError, match="at step 100 is 0 by its schedule"):
        change_rate(done, STEPS, Command("rate", rate=0.1))
    assert done.rate == 0.1
    with pytest.raises(ValueError, match=r"a learning rate of 1e\+13: choose one from"):
        change_rate(Schedule(10.0), 0, Command("rate", 1e12))

"""Commands to a run under way: pause, resume, stop, or another learning rate.

Commands come from other threads and are carried out between two steps, by the trainer. A changed
learning rate is a changed schedule: its peak, and with it all that follows, times a factor. So it
is saved and taken up again with the run, as the schedule is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isclose, isfinite
from queue import SimpleQueue

from chainrule.monitor.events import EventLog
from chainrule.optim.schedules import Schedule

ACTIONS = ("pause", "resume", "rate", "stop")
RATES = (1e-12, 1e12)
"""The learning rates that settings allow."""


@dataclass(frozen=True)
class Command:
    """One thing that was asked for."""

    action: str
    """One of ACTIONS."""
    factor: float = 1.0
    """For `rate`: what the learning rate is multiplied by, unless `rate` says what it shall be."""
    rate: float | None = None


def read_command(body: object) -> Command:
    """The command in what was sent; ValueError, naming value, rule and remedy, if there is none.

    {"action": "pause"}, "resume", "stop"; {"action": "rate", "factor": 0.5} or {..., "rate": 1e-3}.
    """
    if not isinstance(body, dict):
        raise ValueError('a command is a table, such as {"action": "pause"}; send one')
    action = body.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        raise ValueError(f"action {str(action)[:40]!r}: choose one of {', '.join(ACTIONS)}")
    numbers = {name: value for name, value in body.items() if name != "action"}
    if action != "rate":
        if numbers:
            raise ValueError(f"{action} takes no more: leave out {str(next(iter(numbers)))[:40]!r}")
        return Command(action)
    if len(numbers) != 1 or not {*numbers} <= {"factor", "rate"}:
        raise ValueError("rate takes either a factor, such as 0.5, or a rate, such as 0.001")
    ((name, value),) = numbers.items()
    low, high = RATES
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if not (whole or isinstance(value, float)) or not (low <= value <= high):
        raise ValueError(f"{name} {str(value)[:40]}: give a number from {low:g} to {high:g}")
    return Command(action, rate=float(value)) if name == "rate" else Command(action, float(value))


def change_rate(schedule: Schedule, step: int, command: Command) -> tuple[float, float]:
    """Multiplies a schedule's rates as was asked for; (learning rate before, after) at this step.

    Raises ValueError, and changes nothing, where the schedule does not follow.
    """
    before = schedule(step)
    if not before:
        raise ValueError(
            f"the learning rate at step {step} is 0 by its schedule, whatever its peak"
        )
    factor = command.factor if command.rate is None else command.rate / before
    if not (isfinite(factor) and RATES[0] <= before * factor <= RATES[1]):
        raise ValueError(
            f"a learning rate of {before * factor:g}: choose one from {RATES[0]:g} to {RATES[1]:g}"
        )
    parts = list(_parts(schedule))
    kept = [part.rate for part in parts]
    for part in parts:
        part.rate *= factor
    after = schedule(step)
    if not isclose(after, before * factor, rel_tol=1e-9):
        for part, rate in zip(parts, kept, strict=True):
            part.rate = rate
        raise ValueError(f"the learning rate at step {step} is {before:g} by its recipe, always")
    return before, after


def _parts(schedule: Schedule) -> Iterator[Schedule]:
    """The schedule, and those that it goes on with."""
    part: Schedule | None = schedule
    while part:
        yield part
        part = getattr(part, "then", None)


@dataclass(frozen=True)
class View:
    """What training tells the live view, and what it is asked there."""

    event_log: EventLog = field(default_factory=EventLog)
    commands: SimpleQueue[Command] = field(default_factory=SimpleQueue)

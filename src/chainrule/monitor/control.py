"""Control of a running training: pause, resume, stop, or change the learning rate.

Commands come from other threads; the trainer executes them between two steps. Changing the learning
rate scales the whole schedule from its peak on, so the change is saved and restored with the
schedule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isclose, isfinite
from queue import Full, SimpleQueue

from chainrule.monitor.events import EventLog
from chainrule.optim.schedules import Schedule

ACTIONS = ("pause", "resume", "rate", "stop")
MOST_COMMANDS = 64
"""Most commands that wait to be executed."""
RATES = (1e-12, 1e12)
"""Range of learning rates that settings allow."""


@dataclass(frozen=True)
class Command:
    """Command to a running training."""

    action: str
    """One of ACTIONS."""
    factor: float = 1.0
    """For `rate`: factor on the learning rate, unless `rate` gives the new value."""
    rate: float | None = None


def read_command(body: object) -> Command:
    """Parses a command; ValueError, naming value, rule and remedy, if it is not one.

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
    """Scales a schedule as the command asks; (learning rate before, after) at this step.

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
    """The schedule and those nested in it."""
    part: Schedule | None = schedule
    while part:
        yield part
        part = getattr(part, "then", None)


@dataclass(frozen=True)
class View:
    """Live view: the events that training sends to it, the commands that come back."""

    event_log: EventLog = field(default_factory=EventLog)
    commands: SimpleQueue[Command] = field(default_factory=SimpleQueue)

    def give(self, command: Command) -> None:
        """Queues a command; queue.Full if MOST_COMMANDS wait already."""
        if self.commands.qsize() >= MOST_COMMANDS:
            raise Full
        self.commands.put(command)

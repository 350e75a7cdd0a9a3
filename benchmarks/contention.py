"""CPU contention: cores taken by other programs, which make measured seconds unreliable."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

BUSY = (0, 1, 2, 5, 6, 7)
"""Columns of /proc/stat: user, nice, system, irq, softirq, steal; not idle and waiting."""
MANY = 0.2
"""Cores; with fewer than this, others are not worth a word."""


@dataclass(frozen=True)
class Moment:
    """What the machine and what we had spent by then, in seconds."""

    clock: float
    machine: float | None
    """Of all cores together; None where the system does not tell."""
    ours: float
    """Of this process and of those it has waited for."""


def now() -> Moment:
    """This moment."""
    times = os.times()
    return Moment(time.monotonic(), _machine(), sum(times[:4]))


def others_since(start: Moment) -> float | None:
    """How many cores other programs kept busy since then, on average; None: nobody can tell."""
    end = now()
    if start.machine is None or end.machine is None or end.clock <= start.clock:
        return None
    spent = (end.machine - start.machine) - (end.ours - start.ours)
    return round(max(spent / (end.clock - start.clock), 0.0), 2)


def _machine() -> float | None:
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(number) for number in line.split()[1:]]
        return sum(ticks[column] for column in BUSY) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None

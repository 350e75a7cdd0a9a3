"""Threads that overlap in a given order."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

PATIENCE = 30.0


class Gate:
    """Something to be called that says when it is called, and goes on when it is let."""

    def __init__(self, then: Callable[..., Any]) -> None:
        self.then, self.reached, self.opened = then, Event(), Event()

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.reached.set()
        assert self.opened.wait(PATIENCE)
        return self.then(*given, **named)


def overlapping(first: tuple[Gate, Thread], second: tuple[Gate, Thread], *, wait: float) -> None:
    """The second begins while the first is within, and ends after it."""
    for gate, thread in (first, second):
        thread.start()
        gate.reached.wait(wait)
    for gate, thread in (first, second):
        gate.opened.set()
        thread.join(PATIENCE)

"""Interrupts: Ctrl-C, SIGTERM and a hang-up, held until a step is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupt:
    """Interrupt flag: set by a signal, checked between two steps."""

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self) -> bool:
        """True once a signal came."""
        return self.signal != 0


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Signal handling: the first signal only requests a stop, after the step; the second kills.

    A hang-up is such a signal, unless it is ignored, as under nohup; as a second one it kills
    nothing: a terminal that goes sends it more than once. Python lets only the main thread set
    handlers: in any other the signals stay as they are.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    afterwards = _handlers_of_a_second()

    def handle(number: int, _frame: object) -> None:
        interrupt.signal = number
        for each, handler in afterwards.items():
            signal.signal(each, handler)

    before = {number: signal.signal(number, handle) for number in afterwards}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handlers_of_a_second() -> dict[int, Any]:
    """Signal to be held -> its handler once one has come."""
    handlers: dict[int, Any] = {
        signal.SIGINT: signal.getsignal(signal.SIGINT),
        signal.SIGTERM: signal.SIG_DFL,
    }
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up and signal.getsignal(hang_up) != signal.SIG_IGN:
        handlers[hang_up] = signal.SIG_IGN
    return handlers

"""Interrupts: Ctrl-C and SIGTERM, held until a step is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupt:
    """Interrupt flag: set by Ctrl-C or SIGTERM, checked between two steps."""

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self) -> bool:
        """True once a signal came."""
        return self.signal != 0


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Signal handling: the first signal only requests a stop, after the step; the second kills.

    Python lets only the main thread set handlers: in any other the signals stay as they are.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    signals = (signal.SIGINT, signal.SIGTERM)

    def handle(number: int, _frame: object) -> None:
        interrupt.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = [signal.signal(number, handle) for number in signals]
    try:
        yield interrupt
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)

"""Signals: each ends a command in order, with 128 plus its number as exit code.

An exception unwinds the command: what it began is called off, what it started is ended, its
temporary files are removed. Training and serving have their own ways, which come first.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


class Ended(SystemExit):
    """End by a signal. A SystemExit: no library takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Context manager: a first signal raises Ended in the main thread; a second one kills.

    Signals that are ignored stay so, as hang-ups under nohup; a second hang-up kills nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    there = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    before = {each: signal.getsignal(each) for each in there}
    heard = [each for each in there if before[each] != signal.SIG_IGN]

    def end(number: int, _frame: object) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN if each.name == "SIGHUP" else signal.SIG_DFL)
        raise Ended(number)

    for each in heard:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each in heard:
            signal.signal(each, before[each])

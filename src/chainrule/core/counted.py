"""Counted changes of what the whole process shares: made once, put back once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

PutBack = Callable[[], None]


class Counted:
    """Change of the process, held by a number of blocks in any threads.

    The first block to enter makes it, the last to leave puts back what was there, in whatever order
    they come and go.
    """

    def __init__(self, change: Callable[[], PutBack]) -> None:
        self._change = change
        self._lock = Lock()
        self._held = 0
        self._put_back: PutBack = _nothing

    @contextmanager
    def held(self, also: Callable[[], Any] | None = None) -> Iterator[None]:
        """Context manager: holds the change; `also` is called within, each time."""
        with self._lock:
            if not self._held:
                self._put_back = self._change()
            self._held += 1
            if also:
                also()
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
                if not self._held:
                    self._put_back()


def _nothing() -> None:
    """Nothing to put back: nothing was changed."""

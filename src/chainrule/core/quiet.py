"""Quiet blocks: without warnings, in any threads, with the user's filters put back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any


@contextmanager
def without_warnings(category: type[Warning] = Warning) -> Iterator[None]:
    """Context manager: warnings of the category are ignored.

    The filters are the whole process's, so the blocks are counted: the first to enter keeps the
    user's, the last to leave puts them back, in whatever order they come and go.
    """
    _filters.enter(category)
    try:
        yield
    finally:
        _filters.leave()


class _Filters:
    """The user's warning filters, kept by a number of blocks in any threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._within = 0
        self._before: Any = None

    def enter(self, category: type[Warning]) -> None:
        """Ignores the category, and first keeps the user's filters if no block does yet."""
        with self._lock:
            if not self._within:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
            self._within += 1
            warnings.simplefilter("ignore", category)

    def leave(self) -> None:
        """Puts the user's filters back if no other block needs them kept."""
        with self._lock:
            self._within -= 1
            if not self._within:
                self._before.__exit__(None, None, None)
                self._before = None


_filters = _Filters()

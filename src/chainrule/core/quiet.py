"""Quiet blocks: without warnings, in any threads, with the user's filters put back."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from functools import partial

from chainrule.core.counted import Counted, PutBack


def without_warnings(category: type[Warning] = Warning) -> AbstractContextManager[None]:
    """Context manager: warnings of the category are ignored.

    The filters are the whole process's, so the blocks are counted.
    """
    return _filters.held(partial(warnings.simplefilter, "ignore", category))


def _keep_filters() -> PutBack:
    """Keeps the user's warning filters."""
    before = warnings.catch_warnings()
    before.__enter__()
    return partial(before.__exit__, None, None, None)


_filters = Counted(_keep_filters)

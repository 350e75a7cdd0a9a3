"""Shapes are checked in the first calls of each test: a check takes as long as a small step.

What holds for hundreds of calls holds for the thousands after them. Tests of Hypothesis, whose
shapes are others in each call, have all of theirs checked.
"""

from __future__ import annotations

from math import inf

import pytest
from jaxtyping import config, install_import_hook

CHECKED = 500
"""Calls of a test; with all of them tests of training take a third longer under coverage."""


class FirstCalls(type(config)):
    """jaxtyping's switch, which it looks at in each call: off once so many were made."""

    left: float = inf

    @property
    def jaxtyping_disable(self) -> bool:
        """Whether this call is not checked."""
        self.left -= 1
        return self.left < 0


def check_shapes_of(package: str) -> None:
    """From its import on; to be called before."""
    install_import_hook(package, "beartype.beartype")
    config.__class__ = FirstCalls


def begin(item: pytest.Item) -> None:
    """A test: its calls are counted from here."""
    of_hypothesis = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    config.left = inf if of_hypothesis else CHECKED

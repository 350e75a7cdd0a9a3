"""Figures made in threads of one process: matplotlib's settings are put back."""

from __future__ import annotations

from threading import Thread
from typing import Any

import matplotlib
import pytest

from chainrule.plots import learning_curves, lr_finder
from helpers.gates import Gate, overlapping
from helpers.pictures import history


def test_figures_made_in_two_threads_leave_matplotlib_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = Gate(learning_curves.page), Gate(lr_finder.page)
    monkeypatch.setattr(learning_curves, "page", first)
    monkeypatch.setattr(lr_finder, "page", second)
    found: list[Any] = []
    before = dict(matplotlib.rcParams)
    overlapping(
        (first, Thread(target=lambda: found.append(learning_curves.curves(history(3))))),
        (second, Thread(target=lambda: found.append(
            lr_finder.learning_rates([1e-4, 1e-3], [2.0, 1.0], smoothed=[2.0, 1.5], suggestion=1e-4)
        ))),
        wait=0.3,  # the second waits until the first is out, and does not reach its gate
    )  # fmt: skip
    assert len(found) == 2
    assert dict(matplotlib.rcParams) == before

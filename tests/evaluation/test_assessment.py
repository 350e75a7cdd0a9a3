"""What an assessment lists, and what it leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chainrule.evaluation.assessment import MOST_LISTED, Assessment, measure
from chainrule.runs.files import read_report, write_report


def wrong(mistakes: int, right: int = 5) -> Assessment:
    """An assessment of so many wrong answers, and then some right ones."""
    labels = np.r_[np.ones(mistakes, int), np.zeros(right, int)]
    return measure(np.tile(np.float32([0.75, 0.25]), (mistakes + right, 1)), labels)


@pytest.mark.parametrize("more", [0, 1234])
def test_a_report_lists_so_many_mistakes_and_counts_the_others(tmp_path: Path, more: int) -> None:
    found = wrong(MOST_LISTED + more)
    write_report(tmp_path, found.details())
    report = read_report(tmp_path)
    assert report == json.loads(json.dumps(found.details()))
    assert report["mistakes"] == [[index, 1, 0] for index in range(MOST_LISTED)]
    assert report.get("mistakes_left_out", 0) == more == found.errors - MOST_LISTED
    assert report["confusion"] == [[5, 0], [MOST_LISTED + more, 0]]


def test_the_commonest_mistakes_come_first_and_right_answers_not_at_all() -> None:
    labels, predicted = np.array([0, 0, 1, 1, 1, 2, 2, 2]), np.array([0, 1, 2, 2, 1, 0, 1, 0])
    found = measure(np.eye(3, dtype=np.float32)[predicted], labels)
    assert found.commonest_mistakes(9) == [(1, 2, 2), (2, 0, 2), (0, 1, 1), (2, 1, 1)]
    assert found.commonest_mistakes(1) == [(1, 2, 2)]
    assert measure(np.eye(3, dtype=np.float32), np.arange(3)).commonest_mistakes(5) == []

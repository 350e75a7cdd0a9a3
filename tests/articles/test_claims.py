"""Claims: exact to the last digit printed, held to the spread of the seeds, or not judged."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from chainrule.articles import relu_45
from chainrule.articles.claims import as_printed, exact, falling, inside
from chainrule.core.statistics import prediction_interval


@pytest.mark.parametrize("digit", [1e-8, -1e-8])
def test_one_unit_in_the_last_digit_is_outside(digit: float) -> None:
    values = np.array(relu_45.LAYER_DB.split(), float)
    assert exact("db", relu_45.LAYER_DB, values).verdict == "exact"
    assert exact("db", relu_45.LAYER_DB, values + digit * np.eye(3)[1]).verdict == "outside"


def test_dropped_zeros_hide_no_digit() -> None:
    assert as_printed("0.1 0.25", np.array([0.1, 0.25]))[0] == "0.1"
    assert as_printed("0.1 0.25 0.125", np.array([0.1004, 0.25, 0.125]))[0] == "0.100"
    assert exact("x", "0.1 0.25 0.125", np.array([0.1006, 0.25, 0.125])).verdict == "outside"
    assert as_printed("1e-05 2.5e-01 0", np.array([1.04e-5, 0.25, -0.0])) == [
        "1.0e-05",
        "2.5e-01",
        "0.0e+00",
    ]
    with pytest.raises(ValueError, match="2 values against 1"):
        as_printed("1", np.zeros(2))


@pytest.mark.parametrize("count", [2, 5, 11])
def test_the_interval_for_one_more_run_is_that_of_students_t(count: int) -> None:
    found = np.random.default_rng(count).normal(50, 3, count)
    scale = found.std(ddof=1) * np.sqrt(1 + 1 / count)
    expected = scipy.stats.t.interval(0.95, count - 1, found.mean(), scale)
    np.testing.assert_allclose(prediction_interval(found.tolist()), expected, rtol=1e-4)


@pytest.mark.parametrize("found", [[], [1.0]])
def test_fewer_than_two_runs_have_no_interval(found: list[float]) -> None:
    with pytest.raises(ValueError, match=rf"{len(found)} runs: .* two or more"):
        prediction_interval(found)


def test_a_value_beyond_what_the_seeds_explain_is_outside() -> None:
    found = [10.0, 11.0, 9.0, 10.5, 9.5]
    assert inside("cost", 12.1, found, digits=1).verdict == "within"
    assert inside("cost", 12.5, found, digits=1).verdict == "outside"
    assert "5 seeds" in inside("cost", 2.0, found, digits=1).measured


def test_a_printed_value_stands_for_all_numbers_that_round_to_it() -> None:
    found = [90.92, 90.94, 90.93, 90.85, 91.01]
    high = prediction_interval(found)[1]
    assert inside("accuracy", high + 0.04, found, digits=1).verdict == "within"
    assert inside("accuracy", high + 0.06, found, digits=1).verdict == "outside"
    assert inside("accuracy", high + 0.006, found, digits=2).verdict == "outside"


@pytest.mark.parametrize("value", [1.0, 99.0])
def test_one_seed_judges_nothing_and_the_note_says_how_to(value: float) -> None:
    claim = inside("cost", value, [1.0], digits=1, note="chaotic")
    assert (claim.verdict, claim.measured) == ("not judged", "1.0 with 1 seed")
    assert "--seeds 2 or more" in claim.note
    assert claim.note.endswith("; chaotic")


def test_a_cost_that_rises_once_does_not_fall() -> None:
    assert falling("cost", [3.0, 2.0, 1.0]).verdict == "within"
    assert falling("cost", [3.0, 3.5, 1.0]).verdict == "outside"

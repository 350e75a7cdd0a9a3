"""The metrics against scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.arrays import Array
from chainrule.core.statistics import mcnemar, wilson_interval
from chainrule.evaluation.metrics import accuracy, confusion_matrix, per_class, top_k_accuracy

CASES = {
    "two classes": (2, 200, "any"),
    "ten classes": (10, 500, "any"),
    "letters": (26, 1000, "any"),
    "letters, few examples": (26, 10, "any"),
    "never predicted": (10, 300, "never 3"),
    "never there": (10, 300, "no 7"),
    "all right": (10, 100, "right"),
    "all wrong": (10, 100, "wrong"),
    "one example": (10, 1, "any"),
}


def outcome(case: str) -> tuple[Array, Array, int]:
    """(labels, predicted, classes)"""
    classes, examples, kind = CASES[case]
    rng = np.random.default_rng(examples + classes)
    labels, predicted = rng.integers(0, classes, (2, examples))
    if kind == "never 3":
        predicted[predicted == 3] = 4
    if kind == "no 7":
        labels[labels == 7] = 8
    if kind == "right":
        predicted = labels.copy()
    if kind == "wrong":
        predicted = (labels + 1) % classes
    return labels, predicted, classes


@pytest.mark.parametrize("case", CASES)
def test_accuracy_is_that_of_scikit_learn(case: str) -> None:
    labels, predicted, _ = outcome(case)
    assert accuracy(labels, predicted) == sklearn.metrics.accuracy_score(labels, predicted)


@pytest.mark.parametrize("case", CASES)
def test_the_confusion_matrix_is_that_of_scikit_learn(case: str) -> None:
    labels, predicted, classes = outcome(case)
    expected = sklearn.metrics.confusion_matrix(labels, predicted, labels=range(classes))
    assert np.array_equal(confusion_matrix(labels, predicted, classes=classes), expected)


def test_labels_in_a_byte_do_not_overflow_the_confusion_matrix() -> None:
    labels = np.array([25, 25], np.uint8)
    confusion = confusion_matrix(labels, np.array([25, 24]), classes=26)
    assert confusion[25, 25] == confusion[25, 24] == 1
    assert confusion.sum() == 2


@pytest.mark.parametrize("case", CASES)
def test_the_scores_of_each_class_are_those_of_scikit_learn(case: str) -> None:
    labels, predicted, classes = outcome(case)
    scores = per_class(confusion_matrix(labels, predicted, classes=classes))
    expected = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=0
    )
    ours = scores.precision, scores.recall, scores.f1, scores.support
    for mine, theirs in zip(ours, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14)


@pytest.mark.parametrize(("classes", "k"), [(3, 2), (10, 1), (10, 3), (10, 9), (26, 5)])
def test_top_k_accuracy_is_that_of_scikit_learn(classes: int, k: int) -> None:
    rng = np.random.default_rng(k)
    labels, scores = rng.integers(0, classes, 400), rng.random((400, classes))
    expected = sklearn.metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(classes))
    assert top_k_accuracy(labels, scores, k=k) == expected


def test_top_one_is_accuracy_and_top_all_is_certain() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 10, 100), rng.random((100, 10))
    assert top_k_accuracy(labels, scores, k=1) == accuracy(labels, scores.argmax(axis=1))
    assert top_k_accuracy(labels, scores, k=10) == 1


def test_a_tie_counts_against_the_prediction() -> None:
    undecided = np.full((4, 2), 0.5)
    assert top_k_accuracy(np.array([0, 1, 0, 1]), undecided, k=1) == 0


@given(trials=st.integers(1, 100_000), data=st.data())
def test_the_interval_is_that_of_scipy(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.sampled_from([0, trials]) | st.integers(0, trials))
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("level", [0.68, 0.9, 0.99])
def test_another_level_is_asked_for_by_its_normal_quantile(level: float) -> None:
    z = float(scipy.stats.norm.ppf((1 + level) / 2))
    expected = scipy.stats.binomtest(97, 100).proportion_ci(level, method="wilson")
    assert wilson_interval(97, 100, z) == pytest.approx(expected, rel=1e-12)


def test_the_interval_stays_between_nothing_and_all() -> None:
    for trials in (1, 2, 10_000):
        assert wilson_interval(0, trials)[0] == 0
        assert wilson_interval(trials, trials)[1] <= 1
        assert wilson_interval(trials, trials)[1] == pytest.approx(1)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (2, 1), (-1, 5), (0, -3)])
def test_an_impossible_count_is_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"^{successes} of {trials}: successes are 0..trials"):
        wilson_interval(successes, trials)


@given(first=st.integers(0, 300), second=st.integers(0, 300))
def test_mcnemars_test_is_the_exact_binomial_test_of_scipy(first: int, second: int) -> None:
    expected = scipy.stats.binomtest(first, first + second).pvalue if first + second else 1
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(first, second) == mcnemar(second, first)


@pytest.mark.parametrize(("first", "second"), [(4000, 4200), (10_000, 9_000), (60_000, 59_500)])
def test_mcnemars_test_stays_exact_for_many_examples(first: int, second: int) -> None:
    expected = scipy.stats.binomtest(first, first + second).pvalue
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-8)


def test_a_difference_beyond_all_floats_is_not_luck() -> None:
    assert mcnemar(0, 10_000) == 0


def test_without_an_example_to_tell_them_apart_there_is_no_difference() -> None:
    assert mcnemar(0, 0) == mcnemar(1, 0) == mcnemar(7, 7) == 1


@pytest.mark.parametrize(("first", "second"), [(-1, 3), (3, -1)])
def test_a_count_below_none_is_refused(first: int, second: int) -> None:
    with pytest.raises(ValueError, match=f"^{first} and {second}: counts"):
        mcnemar(first, second)

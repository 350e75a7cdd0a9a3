"""Calibration against scikit-learn and SciPy, and what a temperature may and may not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from chainrule.core.arrays import Array
from chainrule.evaluation.calibration import (
    BINS,
    COLDEST,
    HOTTEST,
    expected_calibration_error,
    fit_temperature,
    reliability,
    tempered,
)


def answers(N: int, K: int = 10, *, sharpness: float = 1.0, seed: int = 0) -> tuple[Array, Array]:
    """(probabilities, labels): a network that is `sharpness` times as sure as it should be."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(N, K)) * 2
    truth = scipy.special.softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) < rng.random((N, 1))).sum(axis=1).clip(0, K - 1)
    return scipy.special.softmax(sharpness * logits, axis=1), labels


def loss(probabilities: Array, labels: Array, temperature: float) -> float:
    """The mean negative log-likelihood, by SciPy."""
    logarithms = scipy.special.log_softmax(np.log(probabilities) / temperature, axis=1)
    return -float(logarithms[np.arange(len(labels)), labels].mean())


CASES = [(1000, 10, 15), (300, 2, 10), (50, 26, 15), (2000, 3, 7), (7, 10, 15), (400, 10, 1)]


@pytest.mark.parametrize(("N", "K", "bins"), CASES)
def test_the_bins_are_those_of_scikit_learn(N: int, K: int, bins: int) -> None:
    probabilities, labels = answers(N, K, sharpness=1.5, seed=N)
    found = reliability(probabilities, labels, bins=bins)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=bins)
    filled = found.counts > 0
    assert found.counts.sum() == N
    assert found.right.sum() == right.sum()
    np.testing.assert_allclose(found.accuracy[filled], accuracy)
    np.testing.assert_allclose(found.confidence[filled], mean)
    assert not found.accuracy[~filled].any()
    assert not found.confidence[~filled].any()
    counts = np.histogram(confidence, bins, (0, 1))[0]
    np.testing.assert_array_equal(found.counts, counts)
    expected = np.average(np.abs(accuracy - mean), weights=counts[counts > 0])
    assert found.error == pytest.approx(expected, rel=1e-12)
    assert found.mean_confidence == pytest.approx(confidence.mean(), rel=1e-12)


def test_the_error_is_guos_over_fifteen_bins() -> None:
    probabilities = np.array([[0.9, 0.1], [0.92, 0.08], [0.3, 0.7], [0.35, 0.65]])
    labels = np.array([0, 1, 1, 1])
    # 0.9 and 0.92 share the 14th bin, half of them right; 0.7 and 0.65 have bins of their own.
    expected = (2 * abs(0.5 - 0.91) + abs(1 - 0.7) + abs(1 - 0.65)) / 4
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)
    assert BINS == 15
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(0.0425)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it() -> None:
    probabilities = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
    counts = reliability(probabilities, np.array([1, 0, 0]), bins=4).counts
    assert counts.tolist() == [0, 1, 1, 1]


def test_a_float32_that_rounding_left_above_one_is_in_the_last_bin() -> None:
    probabilities = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0]], np.float32)
    assert reliability(probabilities, np.array([0])).counts.tolist() == [0] * 14 + [1]


def test_a_network_that_is_always_sure_is_as_wrong_as_its_errors_are_many() -> None:
    probabilities = np.eye(4)[[0, 1, 2, 3]]
    assert expected_calibration_error(probabilities, np.arange(4)) == 0
    assert expected_calibration_error(probabilities, np.array([0, 1, 2, 0])) == 0.25
    assert expected_calibration_error(probabilities, np.array([1, 2, 3, 0])) == 1


@pytest.mark.parametrize("sharpness", [0.2, 0.7, 1.0, 1.6, 5.0])
@pytest.mark.parametrize("K", [2, 10])
def test_the_temperature_is_where_scipy_finds_the_lowest_loss(sharpness: float, K: int) -> None:
    probabilities, labels = answers(800, K, sharpness=sharpness, seed=K)
    best = scipy.optimize.minimize_scalar(
        lambda log_t: loss(probabilities, labels, math.exp(log_t)),
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert fit_temperature(probabilities, labels) == pytest.approx(math.exp(best.x), rel=1e-6)


def test_the_temperature_is_that_of_scikit_learn() -> None:
    if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8):
        pytest.skip("scikit-learn fits temperatures from 1.8 on")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 1200)
    X = rng.normal(size=(1200, 20)) + np.eye(5, 20)[labels]
    network = LogisticRegression(C=1e4, max_iter=2000).fit(X[:200], labels[:200])
    calibrated = CalibratedClassifierCV(FrozenEstimator(network), method="temperature")
    expected = calibrated.fit(X[200:], labels[200:]).predict_proba(X[200:])
    probabilities = network.predict_proba(X[200:])
    T = fit_temperature(probabilities, labels[200:])
    assert T > 1.5
    np.testing.assert_allclose(tempered(probabilities, T), expected, atol=1e-4)


@pytest.mark.parametrize("sharpness", [0.5, 3.0])
def test_a_network_three_times_too_sure_has_the_temperature_three(sharpness: float) -> None:
    probabilities, labels = answers(40_000, sharpness=sharpness)
    assert fit_temperature(probabilities, labels) == pytest.approx(sharpness, rel=0.03)
    before = expected_calibration_error(probabilities, labels)
    after = expected_calibration_error(tempered(probabilities, sharpness), labels)
    assert after < 0.01 < 0.1 < before


@given(t=st.floats(0.1, 8), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_what_was_tempered_already_needs_that_much_less(t: float, seed: int) -> None:
    probabilities, labels = answers(60, 4, seed=seed)
    T = fit_temperature(probabilities, labels)
    again = fit_temperature(tempered(probabilities, t), labels)
    assert again * t == pytest.approx(T, rel=1e-6)
    assert loss(probabilities, labels, T) <= loss(probabilities, labels, 1.0) + 1e-12


def test_labels_that_are_always_right_have_no_temperature_and_get_the_coldest() -> None:
    probabilities, _ = answers(100)
    labels = probabilities.argmax(axis=1)
    assert fit_temperature(probabilities, labels) == pytest.approx(COLDEST, rel=1e-6)
    certain = np.eye(10, dtype=np.float32)[labels]
    assert fit_temperature(certain, labels) == pytest.approx(COLDEST, rel=1e-6)
    assert (tempered(certain, COLDEST).argmax(axis=1) == labels).all()


@pytest.mark.parametrize("p", [0.51, 0.591, 0.594, 0.6, 0.75, 0.9])
def test_no_rounding_makes_a_right_answer_look_wrong(p: float) -> None:
    found = fit_temperature(np.array([[p, 1 - p]]), np.array([0]))
    assert found == pytest.approx(COLDEST, rel=1e-6)


def test_a_network_worse_than_chance_gets_the_hottest() -> None:
    probabilities, _ = answers(100)
    assert fit_temperature(probabilities, probabilities.argmin(axis=1)) == pytest.approx(
        HOTTEST, rel=1e-6
    )


def test_a_label_whose_probability_underflowed_to_zero_counts_as_a_bad_miss() -> None:
    probabilities = np.tile(np.array([[1, 0]], np.float32), (50, 1))
    labels = np.zeros(50, int)
    labels[0] = 1
    T = fit_temperature(probabilities, labels)
    # 49 of 50 right is what the tempered network should say.
    assert tempered(probabilities, T)[0, 0] == pytest.approx(0.98, rel=1e-6)
    assert COLDEST < T < HOTTEST


@pytest.mark.parametrize("T", [0.05, 0.5, 1.0, 2.0, 50.0])
def test_tempering_divides_the_logits(T: float) -> None:
    logits = np.random.default_rng(1).normal(size=(30, 6)) * 3
    probabilities = scipy.special.softmax(logits, axis=1)
    expected = scipy.special.softmax(logits / T, axis=1)
    np.testing.assert_allclose(tempered(probabilities, T), expected, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_temperature_changes_an_answer_or_the_input(dtype: type) -> None:
    probabilities = answers(200)[0].astype(dtype)
    before = probabilities.copy()
    for T in (0.01, 0.3, 1.0, 100.0):
        found = tempered(probabilities, T)
        np.testing.assert_array_equal(found.argmax(axis=1), probabilities.argmax(axis=1))
        np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities, before)


def test_rows_that_do_not_sum_to_one_are_normalised() -> None:
    sigmoids = np.random.default_rng(2).random((20, 5))
    expected = sigmoids / sigmoids.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tempered(sigmoids, 1.0), expected)


@pytest.mark.parametrize("T", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_that_is_none_is_refused(T: float) -> None:
    with pytest.raises(ValueError, match="give a number above 0"):
        tempered(np.ones((1, 2)) / 2, T)


@pytest.mark.parametrize("function", [reliability, fit_temperature, expected_calibration_error])
def test_labels_that_do_not_fit_are_refused(function) -> None:
    with pytest.raises(ValueError, match=r"label 2 of example 0 is outside 0\.\.1"):
        function(np.ones((1, 2)) / 2, np.array([2]))
    with pytest.raises(ValueError, match="one row or more"):
        function(np.ones((0, 2)), np.zeros(0, int))


def test_no_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bins: give one or more"):
        reliability(np.ones((1, 2)) / 2, np.array([0]), bins=0)

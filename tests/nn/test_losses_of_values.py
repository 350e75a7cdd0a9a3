"""Losses of values, and of examples that weigh more or less, against PyTorch and scikit-learn."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network._base as sklearn_losses
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from chainrule.core.arrays import Array
from chainrule.nn.activations import LINKS
from chainrule.nn.gradient_check import gradcheck
from chainrule.nn.loss_buffers import Buffers, checked
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.nn.predictor import Predictor
from chainrule.nn.targets import check_target, check_weights, class_weights
from helpers.losses import OF_LABELS, OF_VALUES, values_for

PRECISIONS = [(np.float64, 1e-12), (np.float32, 2e-6)]
CASES = [(name, False) for name in OF_LABELS] + [(name, True) for name in OF_VALUES]
"""(loss, whether of values)."""


def batch(name: str, of_values: bool, dtype: Any = np.float64, rows: int = 40) -> Any:
    """(logits, target, weights), one weight 0."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (rows, 3)).astype(dtype)
    target = values_for(name, (rows, 3), rng, dtype) if of_values else rng.integers(0, 3, rows)
    weights = rng.random(rows).astype(dtype)
    weights[1] = 0
    return logits, target, weights


def by_torch(torch: Any, name: str, z: Any, target: Any) -> Any:
    """What each example costs, by PyTorch's own losses."""
    F = torch.nn.functional
    if name == "softmax-cross-entropy":
        return F.cross_entropy(z, target, reduction="none")
    matrix = target if target.ndim == 2 else F.one_hot(target, z.shape[1]).double()
    if name == "sigmoid-cross-entropy":
        return F.binary_cross_entropy_with_logits(z, matrix, reduction="none").sum(dim=1)
    if name == "poisson":
        constant = torch.special.xlogy(matrix, matrix) - matrix
        return (F.poisson_nll_loss(z, matrix, reduction="none") + constant).sum(dim=1)
    squares = F.mse_loss(z, matrix, reduction="none").mean(dim=1)
    return squares / 2 if name == "squared-error" else squares


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "of_values"), CASES)
def test_value_and_gradient_with_weights_are_those_of_torch(
    torch: ModuleType, name: str, of_values: bool, weighted: bool, dtype: Any, tolerance: float
) -> None:
    logits, target, weights = batch(name, of_values, dtype)
    z = torch.tensor(logits.astype(np.float64), requires_grad=True)
    exact = target.astype(np.float64) if of_values else target
    costs = by_torch(torch, name, z, torch.tensor(exact))
    w = torch.tensor(weights.astype(np.float64) if weighted else np.ones(len(logits)))
    expected = (w * costs).sum() / w.sum()
    expected.backward()
    loss, dlogits = LOSSES[name].function(logits, target, weights=weights if weighted else None)
    assert dlogits.dtype == dtype
    assert loss == pytest.approx(expected.item(), rel=tolerance)
    np.testing.assert_allclose(dlogits, z.grad.numpy(), rtol=tolerance, atol=tolerance)


SKLEARN = {
    "squared-error": "squared_loss",
    "poisson": "poisson_loss",
    "sigmoid-cross-entropy": "binary_log_loss",
}


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", OF_VALUES)
def test_the_value_is_that_of_scikit_learns_networks(
    name: str, weighted: bool, outputs: int
) -> None:
    logits, values, weights = batch(name, True)
    logits, values = logits[:, :outputs].copy(), values[:, :outputs].copy()
    predictions = LINKS[LOSSES[name].link].forward(logits, np.empty_like(logits))
    given = weights if weighted else None
    expected = getattr(sklearn_losses, SKLEARN[name])(values, predictions, sample_weight=given)
    assert LOSSES[name].function(logits, values, weights=given)[0] == pytest.approx(expected)


@pytest.mark.parametrize(("name", "of_values"), CASES)
@given(repeats=st.lists(st.integers(0, 4), min_size=6, max_size=6).filter(any))
def test_whole_weights_are_repeated_rows(name: str, of_values: bool, repeats: list[int]) -> None:
    logits, target, _ = batch(name, of_values, rows=6)
    rows = np.repeat(np.arange(6), repeats)
    loss, dlogits = LOSSES[name].function(
        logits, target, weights=np.array(repeats, dtype=np.float64)
    )
    repeated, gradients = LOSSES[name].function(logits[rows], target[rows])
    assert loss == pytest.approx(repeated, rel=1e-12)
    summed = np.zeros_like(logits)
    np.add.at(summed, rows, gradients)
    np.testing.assert_allclose(dlogits, summed, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("name", "of_values"), CASES)
def test_weights_that_are_all_one_give_the_bits_of_none(name: str, of_values: bool) -> None:
    logits, target, _ = batch(name, of_values, np.float32)
    loss, dlogits = LOSSES[name].function(logits, target)
    ones = LOSSES[name].function(logits, target, weights=np.ones(len(logits), np.float32))
    assert (ones[0], ones[1].tobytes()) == (loss, dlogits.tobytes())


@pytest.mark.parametrize(("name", "of_values"), CASES)
def test_buffers_used_before_give_the_same_bits(name: str, of_values: bool) -> None:
    logits, target, weights = batch(name, of_values, np.float32)
    fresh = LOSSES[name].function(logits, target, weights=weights)
    before = logits.tobytes(), target.tobytes(), weights.tobytes()
    buffers = Buffers(*logits.shape, logits.dtype)
    LOSSES[name].function(-logits, target[::-1].copy(), buffers)
    again = LOSSES[name].function(logits, target, buffers, weights=weights)
    assert (again[0], again[1].tobytes()) == (fresh[0], fresh[1].tobytes())
    assert again[1] is buffers.dlogits
    assert (logits.tobytes(), target.tobytes(), weights.tobytes()) == before


@pytest.mark.parametrize("name", OF_VALUES)
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_gradient_of_every_parameter_is_right_with_weights(name: str, outputs: int) -> None:
    rng = np.random.default_rng(2)
    network = Network.dense([4, 5, outputs], "tanh", rng=rng, link=LOSSES[name].link)
    X, values = rng.normal(size=(7, 4)), values_for(name, (7, outputs), rng)
    assert gradcheck(network, X, values, name).ok
    assert gradcheck(network, X, values, name, weights=rng.random(7), l2=0.1).ok


def test_a_gradient_without_the_weights_is_caught() -> None:
    def forgetful(z: Array, y: Array, *_: object, weights: Array, **more: float) -> Any:
        right = LOSSES["squared-error"].function
        return right(z, y, weights=weights)[0], right(z, y)[1]

    rng = np.random.default_rng(2)
    network = Network.dense([4, 5, 2], "tanh", rng=rng)
    X, values = rng.normal(size=(7, 4)), rng.normal(size=(7, 2))
    assert not gradcheck(network, X, values, forgetful, weights=rng.random(7)).ok


def test_the_poisson_deviance_keeps_its_digits_where_the_mean_is_almost_the_count() -> None:
    # Half the deviance is v d^2 / 2 to first order, for a logit of log v + d.
    for dtype, count, d in ((np.float64, 1e9, 1e-6), (np.float32, 2.0**20, 2.0**-8)):
        values = np.array([[count], [0.0]], dtype)
        logits = np.array([[np.log(count) + d], [-50.0]], dtype)
        loss, dlogits = LOSSES["poisson"].function(logits, values)
        d = float(logits[0, 0]) - np.log(count)
        assert loss == pytest.approx(count * (np.expm1(d) - d) / 2, rel=1e-2)
        assert loss > 0
        assert dlogits[0, 0] == pytest.approx(count * np.expm1(d) / 2, rel=1e-3)


def test_a_poisson_mean_is_the_exponential_of_the_output() -> None:
    rng = np.random.default_rng(0)
    network = Network.dense([3, 4, 2], "sigmoid", rng=rng, link="exp", dtype=np.float64)
    X = rng.normal(size=(5, 3))
    outputs = network.copy()
    outputs.link = "identity"
    expected = np.exp(outputs.predict_values(X))
    for predicted in (network.predict_values(X), Predictor(network)(X)):
        np.testing.assert_allclose(predicted, expected, rtol=1e-12)


LABELS, VALUES = np.array([0, 1]), np.array([[0.0, 1.0], [2.0, 0.5]])


@pytest.mark.parametrize(
    ("target", "loss", "words"),
    [
        (LABELS, "squared-error", r"takes values, and the target is labels, shape \(2,\) of int64"),
        (LABELS, "poisson", r"give floats, shape \(N, 2\), or a loss of labels"),
        (VALUES, "softmax-cross-entropy", r"takes labels, and the target is values, shape \(2, 2"),
        (VALUES, "sigmoid-cross-entropy", r"value 2\.0 of example 1, output 0 .* from 0 to 1"),
        (-VALUES, "poisson", r"value -1\.0 of example 0, output 1 is not a finite number from 0"),
        (VALUES * np.nan, "squared-error", "value nan of example 0, output 0 is not a finite num"),
        (VALUES[:, 0], "squared-error", r"give \(N, 2\), one example a row, values\[:, None\]"),
        (VALUES[:, :1], "squared-error", r"values have shape \(2, 1\).* has 2 outputs"),
        (VALUES.astype(int), "squared-error", "type int64: give floats"),
        (VALUES[:, 0], "sigmoid-cross-entropy", "give one integer an example"),
    ],
)
def test_targets_that_do_not_fit_are_refused(target: Array, loss: str, words: str) -> None:
    row = LOSSES[loss]
    with pytest.raises(ValueError, match=words):
        check_target(target, 2, labels=row.labels, values=row.values)


@pytest.mark.parametrize("name", OF_VALUES)
def test_a_loss_without_buffers_checks_its_values_and_weights(name: str) -> None:
    logits, values, weights = batch(name, True)
    with pytest.raises(ValueError, match="value nan of example 3"):
        LOSSES[name].function(logits, np.where(np.arange(40)[:, None] == 3, np.nan, values))
    weights[2] = -1
    with pytest.raises(ValueError, match=r"weight -1\.0 of example 2"):
        LOSSES[name].function(logits, values, weights=weights)
    with pytest.raises(ValueError, match="39 rows of values for 40 rows"):
        checked(logits, values[1:], None)
    with pytest.raises(ValueError, match=r"label_smoothing 0\.1: values are no labels"):
        LOSSES[name].function(logits, values, label_smoothing=0.1)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.array([1, 2]), r"type int64: give one float an example, shape \(2,\)"),
        (np.ones((2, 1)), r"shape \(2, 1\)"),
        (np.ones(3), r"shape \(3,\)"),
        (np.array([1.0, -0.5]), r"weight -0\.5 of example 1 is not a finite number from 0 up"),
        (np.array([np.inf, 1.0]), "weight inf of example 0"),
        (np.zeros(2), r"sum to 0\.0: give some example a weight above 0"),
        (np.full(2, 1.7e308), "sum to"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Array, words: str) -> None:
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=words):
        check_weights(weights, 2)


@pytest.mark.parametrize("given_weights", ["balanced", {0: 1.0, 3: 2.5}, {0: 2}])
def test_class_weights_are_those_of_scikit_learn(given_weights: Any) -> None:
    labels = np.array([0, 3, 3, 5, 0, 0, 0])
    table = given_weights if isinstance(given_weights, str) else {3: 1, 5: 1} | given_weights
    expected = compute_sample_weight(table, labels)
    np.testing.assert_allclose(class_weights(labels, given_weights), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("given_weights", "words"),
    [("balance", "give 'balanced', or a table"), ({1: 2.0}, "name class 1, and no label is one")],
)
def test_class_weights_of_no_class_are_refused(given_weights: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        class_weights(np.array([0, 2, 2]), given_weights)

"""Each loss and its gradient against PyTorch, for ordinary logits and for hopeless ones."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.special
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.arrays import Array
from chainrule.nn.loss_buffers import Buffers, checked
from chainrule.nn.losses import LOSSES, l2_penalty
from chainrule.nn.targets import check_labels, one_hot
from helpers.losses import OF_LABELS

NAMES = OF_LABELS
PRECISIONS = [(np.float64, 1e-12), (np.float32, 1e-6)]


def smooth_targets(torch: Any, y: Any, classes: int, smoothing: float) -> Any:
    """One-hot rows of which a share `smoothing` goes to all classes alike."""
    one_hot = torch.nn.functional.one_hot(y, classes).double()
    return torch.lerp(one_hot, torch.full_like(one_hot, 1 / classes), smoothing)


def torch_cross_entropy(torch: Any, z: Any, y: Any, smoothing: float) -> Any:
    return torch.nn.functional.cross_entropy(z, y, label_smoothing=smoothing)


def torch_sigmoid(torch: Any, z: Any, y: Any, smoothing: float) -> Any:
    target = smooth_targets(torch, y, z.shape[1], smoothing)
    summed = torch.nn.functional.binary_cross_entropy_with_logits(z, target, reduction="sum")
    return summed / len(y)


def torch_squared_error(torch: Any, z: Any, y: Any, smoothing: float) -> Any:
    return torch.nn.functional.mse_loss(z, smooth_targets(torch, y, z.shape[1], smoothing))


TORCH: dict[str, Callable[[Any, Any, Any, float], Any]] = {
    "softmax-cross-entropy": torch_cross_entropy,
    "sigmoid-cross-entropy": torch_sigmoid,
    "mean-squared-error": torch_squared_error,
}


def batch(kind: str, dtype: Any) -> tuple[Array, Array]:
    """(logits, labels) of the kind that the test names."""
    rng = np.random.default_rng(11)
    examples, classes = {"one row": (1, 10), "one class": (6, 1)}.get(kind, (40, 10))
    logits, labels = rng.normal(0, 3, (examples, classes)), rng.integers(0, classes, examples)
    if kind == "huge":
        logits = rng.choice([-1e4, 1e4, 0.0], (examples, classes))
    if kind == "one huge, right":
        logits[5, labels[5]] = 1e4
    if kind == "one huge, wrong":
        logits[5, labels[5] - 1] = 1e4
    return logits.astype(dtype), labels


def expected(
    torch: ModuleType, name: str, logits: Array, labels: Array, smoothing: float
) -> tuple[float, Array]:
    """(loss, gradient by autograd), worked out in float64."""
    z = torch.tensor(logits.astype(np.float64), requires_grad=True)
    loss = TORCH[name](torch, z, torch.tensor(labels), smoothing)
    loss.backward()
    return loss.item(), z.grad.numpy()


def test_each_loss_has_an_oracle_here() -> None:
    assert list(TORCH) == NAMES


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    "kind", ["usual", "one row", "one class", "huge", "one huge, right", "one huge, wrong"]
)
@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_are_those_of_torch(
    torch: ModuleType, name: str, kind: str, smoothing: float, dtype: Any, tolerance: float
) -> None:
    logits, labels = batch(kind, dtype)
    loss, dlogits = LOSSES[name].function(logits, labels, label_smoothing=smoothing)
    true_loss, true_gradient = expected(torch, name, logits, labels, smoothing)
    assert dlogits.dtype == dtype
    assert loss == pytest.approx(true_loss, rel=tolerance, abs=tolerance)
    np.testing.assert_allclose(dlogits, true_gradient, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("width", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
@pytest.mark.parametrize("name", NAMES)
def test_labels_may_be_integers_of_any_width(name: str, width: Any) -> None:
    logits, labels = batch("usual", np.float64)
    loss, dlogits = LOSSES[name].function(logits, labels)
    other_loss, other_dlogits = LOSSES[name].function(logits, labels.astype(width))
    assert loss == other_loss
    assert np.array_equal(dlogits, other_dlogits)


def test_softmax_cross_entropy_is_that_of_scipy() -> None:
    logits, labels = batch("usual", np.float64)
    log_probabilities = scipy.special.log_softmax(logits, axis=1)
    loss, _ = LOSSES["softmax-cross-entropy"].function(logits, labels)
    chosen = [row[label] for row, label in zip(log_probabilities, labels, strict=True)]
    assert loss == pytest.approx(-np.mean(chosen), rel=1e-13)


def test_an_untrained_network_of_ten_classes_has_the_loss_log_ten() -> None:
    loss, _ = LOSSES["softmax-cross-entropy"].function(np.zeros((3, 10)), np.array([0, 4, 9]))
    assert loss == pytest.approx(2.302585092994046, abs=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", NAMES)
@given(rows=st.integers(2, 12), data=st.data())
def test_the_loss_of_a_batch_is_the_weighted_mean_of_its_parts(
    name: str, smoothing: float, rows: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, rows - 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    logits, labels = rng.normal(0, 5, (rows, 4)), rng.integers(0, 4, rows)

    def loss(part: slice) -> tuple[float, Array]:
        return LOSSES[name].function(logits[part], labels[part], label_smoothing=smoothing)

    whole, first, second = loss(slice(None)), loss(slice(cut)), loss(slice(cut, None))
    shares = cut / rows, 1 - cut / rows
    assert whole[0] == pytest.approx(shares[0] * first[0] + shares[1] * second[0], rel=1e-12)
    joined = np.concatenate([shares[0] * first[1], shares[1] * second[1]])
    np.testing.assert_allclose(whole[1], joined, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", NAMES)
def test_buffers_used_before_give_the_same_bits(name: str, smoothing: float) -> None:
    function = LOSSES[name].function
    logits, labels = batch("usual", np.float32)
    fresh = function(logits, labels, label_smoothing=smoothing)
    buffers = Buffers(*logits.shape, logits.dtype)
    function(-3 * logits, labels[::-1].copy(), buffers, label_smoothing=smoothing)
    again = function(logits, labels, buffers, label_smoothing=smoothing)
    assert again[0] == fresh[0]
    assert again[1].tobytes() == fresh[1].tobytes()
    assert again[1] is buffers.dlogits


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_changes_neither_logits_nor_labels(name: str) -> None:
    logits, labels = batch("usual", np.float32)
    before = logits.tobytes(), labels.tobytes()
    LOSSES[name].function(logits, labels, label_smoothing=0.1)
    assert (logits.tobytes(), labels.tobytes()) == before


@pytest.mark.parametrize("name", NAMES)
def test_logits_that_are_a_view_with_gaps_are_read_rightly(name: str) -> None:
    logits, labels = batch("usual", np.float64)
    spread = np.full((len(logits), 20), 7.0)
    spread[:, ::2] = logits
    for view in (spread[:, ::2], np.asfortranarray(logits)):
        loss, dlogits = LOSSES[name].function(view, labels)
        assert loss == pytest.approx(LOSSES[name].function(logits, labels)[0], rel=1e-15)
        np.testing.assert_allclose(dlogits, LOSSES[name].function(logits, labels)[1], rtol=1e-14)


def test_a_logit_that_is_not_a_number_makes_the_loss_not_a_number() -> None:
    logits = np.array([[1.0, np.nan], [0.0, 0.0]])
    with np.errstate(invalid="ignore"):
        losses = [LOSSES[name].function(logits, np.array([0, 1]))[0] for name in NAMES]
    assert np.isnan(losses).all()


@pytest.mark.parametrize("strength", [0.0, 1e-3, 2.0])
def test_the_l2_penalty_adds_the_gradient_that_autograd_finds(
    torch: ModuleType, strength: float
) -> None:
    rng = np.random.default_rng(5)
    weights, gradient = rng.normal(size=50), rng.normal(size=50)
    w = torch.tensor(weights, requires_grad=True)
    penalty = strength / 2 * torch.linalg.vector_norm(w) ** 2
    penalty.backward()
    total = gradient + w.grad.numpy()
    assert l2_penalty(weights, gradient, strength, np.empty(50)) == pytest.approx(penalty.item())
    np.testing.assert_allclose(gradient, total, rtol=1e-12)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 3]), r"^label 3 of example 1 is outside 0\.\.2: .* 3 outputs"),
        (np.array([-1, 0]), r"^label -1 of example 0 is outside 0\.\.2"),
        (np.array([0.0, 1.0]), r"type float64: give one integer an example"),
        (np.array([[1, 0, 0], [0, 1, 0]]), r"shape \(2, 3\) .* give one integer an example"),
        (np.array([True, False]), r"type bool: give one integer"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_labels(labels, 3)


def test_one_hot_rows_are_those_of_scikit_learn() -> None:
    labels = np.array([3, 0, 2, 3])
    expected = sklearn.preprocessing.label_binarize(labels, classes=range(5))
    assert np.array_equal(one_hot(labels, 5), expected)
    with pytest.raises(ValueError, match="label 3 of example 0 is outside"):
        one_hot(labels, 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_without_buffers_checks_its_labels(name: str) -> None:
    with pytest.raises(ValueError, match="label 3 of example 0"):
        LOSSES[name].function(np.zeros((1, 3)), np.array([3]))


def test_one_label_a_row_is_asked_for() -> None:
    # By way of the helper: in tests the shapes of the losses themselves are checked before.
    with pytest.raises(ValueError, match=r"^2 labels for 3 rows of logits: give one a row"):
        checked(np.zeros((3, 4)), np.array([0, 1]), None)

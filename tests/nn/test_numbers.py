"""Numbers at the edge: logits of 10,000, empty images, one class, one example, one seed."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from math import log
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.cli import main
from chainrule.core.arrays import Array
from chainrule.core.statistics import wilson_interval
from chainrule.evaluation.metrics import confusion_matrix, per_class
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.losses import LOSSES
from chainrule.nn.model_file import load_model
from chainrule.nn.network import Network, Workspace
from chainrule.nn.predictor import Predictor
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.training.evaluate import evaluate
from chainrule.training.train import train
from conftest import oracle
from helpers.losses import OF_LABELS
from nn.test_network import TORCH, torch_loss

HUGE = 1e4
HIDDEN = [name for name in ACTIVATIONS if name != "softmax"]
WRONG: dict[str, Callable[[], object]] = {
    "overflow": lambda: np.exp(np.full(1, HUGE)),
    "divide by zero": lambda: np.divide(np.ones(1), 0),
    "invalid value": lambda: np.subtract(np.full(1, np.inf), np.inf),
}


@pytest.mark.parametrize("error", WRONG)
def test_in_this_suite_a_floating_point_error_is_raised(error: str) -> None:
    with pytest.raises(FloatingPointError, match=error):
        WRONG[error]()


def test_in_this_suite_a_warning_is_raised_and_an_underflow_is_zero() -> None:
    with pytest.raises(UserWarning, match="look here"):
        warnings.warn("look here", stacklevel=1)
    assert np.exp(np.full(1, -HUGE)) == 0


# name -> (A at -10,000, A at 10,000, slope at -10,000, slope at 10,000): the limits, by hand.
LIMITS: dict[str, tuple[float, float, float, float]] = {
    "identity": (-HUGE, HUGE, 1, 1),
    "sigmoid": (0, 1, 0, 0),
    "tanh": (-1, 1, 0, 0),
    "relu": (0, HUGE, 0, 1),
    "leaky-relu": (-100, HUGE, 0.01, 1),
    "elu": (-1, HUGE, 0, 1),
    "gelu": (0, HUGE, 0, 1),
    "silu": (0, HUGE, 0, 1),
    "softmax": (0, 1, 0, 0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_at_ten_thousand_each_activation_and_its_slope_are_at_their_limits(
    name: str, rows: int, dtype: Any
) -> None:
    Z = np.tile(np.array([-HUGE, HUGE], dtype), (rows, 1))
    A, out, scratch = (np.full_like(Z, np.nan) for _ in range(3))
    ACTIVATIONS[name].forward(Z, A)
    slope = ACTIVATIONS[name].backward(np.ones_like(Z), Z, A, out, scratch)
    np.testing.assert_allclose(A, np.tile(LIMITS[name][:2], (rows, 1)), rtol=1e-6)
    np.testing.assert_allclose(slope, np.tile(LIMITS[name][2:], (rows, 1)), rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("loss", ["softmax-cross-entropy", "sigmoid-cross-entropy"])
def test_logits_of_ten_thousand_have_their_exact_loss_step_and_probabilities(
    loss: str, compiled: bool
) -> None:
    # Logits (1e4, -1e4), label 1. Softmax: loss 2e4. Sigmoids: 1e4 for each class. Either way the
    # gradient by the logits is (1, -1), so a rate of 1/2 moves weights and biases by 1/2.
    if compiled:
        oracle("numba")
    network = Network.dense([1, 2], rng=np.random.default_rng(0), link=LOSSES[loss].link)
    network.W[0][...] = HUGE, -HUGE
    X, y = np.ones((4, 1), np.float32), np.ones(4, np.int64)
    for predict in (network.predict_proba, Predictor(network)):
        assert predict(X).tolist() == [[1, 0]] * 4
        assert predict(X[:1]).tolist() == [[1, 0]]
    assert evaluate(network, (X, y), loss=loss) == (2 * HUGE, 0)
    (epoch,) = train(
        network, (X, y), rng=None, epochs=1, loss=loss, optimizer="sgd", learning_rate=0.5,
        compiled=compiled,
    )  # fmt: skip
    assert epoch.loss == 2 * HUGE
    assert network.W[0].tolist() == [[HUGE - 0.5, 0.5 - HUGE]]
    assert network.b[0].tolist() == [-0.5, 0.5]


def examples(kind: str, dtype: Any = np.float64) -> tuple[Array, Array]:
    """(X (rows, 6), y) of the kind that the test names, three classes."""
    rng = np.random.default_rng(3)
    X, y = rng.random((8, 6)).astype(dtype), rng.integers(0, 3, 8)
    if kind == "all-zero images":
        X[...] = 0
    if kind == "constant pixels":
        X[...] = 0.7
    if kind == "a constant pixel":
        X[:, 2] = 1
    if kind == "one class only":
        y[...] = 2
    return (X[:1], y[:1]) if kind == "a batch of one" else (X, y)


KINDS = [
    "all-zero images",
    "constant pixels",
    "a constant pixel",
    "one class only",
    "a batch of one",
]


def autograd(
    torch: ModuleType, network: Network, X: Array, y: Array, loss: str
) -> tuple[float, list[Array]]:
    """(loss, gradients by each W and each b) of PyTorch in float64."""
    W, b = (
        [torch.tensor(array.astype(np.float64), requires_grad=True) for array in arrays]
        for arrays in (network.W, network.b)
    )
    A = torch.tensor(X.astype(np.float64))
    for layer, weight, bias in zip(network.layers, W, b, strict=True):
        A = TORCH[layer.activation](torch, torch.addmm(bias, A, weight))
    value = torch_loss(torch, loss, A, y)
    value.backward()
    return value.item(), [each.grad.numpy() for each in W + b]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_loss_and_gradient_of_odd_examples_are_those_of_autograd(
    torch: ModuleType, hidden: str, kind: str
) -> None:
    X, y = examples(kind, np.float64)
    for loss in OF_LABELS:
        rng, row = np.random.default_rng(5), LOSSES[loss]
        exact = Network.dense([6, 5, 3], hidden, rng=rng, output=row.output, dtype=np.float64)
        expected, gradients = autograd(torch, exact, X, y, loss)
        for network, tolerance in ((exact, 1e-12), (exact.copy(np.float32), 1e-6)):
            workspace = Workspace(network, len(y))
            outputs = network.forward(X.astype(network.dtype), workspace)
            value, dlogits = row.function(outputs, y)
            dW, db, _ = network.layout.parameters(network.backward(dlogits, workspace))
            assert value == pytest.approx(expected, rel=tolerance)
            for mine, other in zip(dW + db, gradients, strict=True):
                np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


SHARES = np.array([0.5, 0.3, 0.2])
LOWEST = {
    "softmax-cross-entropy": -sum(p * log(p) for p in SHARES),
    "sigmoid-cross-entropy": -sum(p * log(p) + (1 - p) * log(1 - p) for p in SHARES),
    "mean-squared-error": sum(p * (1 - p) for p in SHARES) / 3,
}
"""What is left of each loss when all that is known of an example is how frequent classes are."""


@pytest.mark.parametrize(("pixel", "hidden"), [(0.0, [4]), (1.0, [])])
@pytest.mark.parametrize(("loss", "rate"), [*zip(LOWEST, [0.5, 0.5, 3.0], strict=True)])
def test_images_that_tell_nothing_teach_how_frequent_each_class_is(
    loss: str, rate: float, pixel: float, hidden: list[int]
) -> None:
    row = LOSSES[loss]
    rng = np.random.default_rng(2)
    network = Network.dense([5, *hidden, 3], rng=rng, output=row.output, link=row.link)
    X, y = np.full((10, 5), pixel, np.float32), np.repeat(np.arange(3), [5, 3, 2])
    settings: Any = {"loss": loss, "optimizer": "sgd", "learning_rate": rate, "epochs": 120}
    for _ in train(network, (X, y), rng=None, batch_size=10, **settings):
        pass
    assert evaluate(network, (X, y), loss=loss) == pytest.approx((LOWEST[loss], 0.5), rel=1e-4)
    np.testing.assert_allclose(network.predict_proba(X[:1]), SHARES[None], atol=1e-2)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_optimizer_learns_from_odd_examples_one_at_a_time(kind: str, optimizer: str) -> None:
    X, y = examples(kind, np.float32)
    network = Network.dense([6, 5, 3], "tanh", rng=np.random.default_rng(0))
    before, _ = evaluate(network, (X, y))
    settings: Any = {"epochs": 8, "batch_size": 1, "optimizer": optimizer, "learning_rate": 0.003}
    epochs = list(train(network, (X, y), rng=None, validation=(X, y), max_norm=10.0, **settings))
    after, _ = evaluate(network, (X, y))
    assert after == epochs[-1].validation_loss
    assert np.isfinite(network.parameters).all()
    assert after < before


def test_a_network_of_one_class_is_certain_and_has_nothing_to_learn() -> None:
    network = Network.dense([6, 4, 1], rng=np.random.default_rng(0))
    before = network.parameters.tobytes()
    X, _ = examples("usual", np.float32)
    y = np.zeros(len(X), np.int64)
    epochs = list(train(network, (X, y), rng=None, epochs=3))
    assert [epoch.loss for epoch in epochs] == [0, 0, 0]
    assert network.parameters.tobytes() == before
    assert network.predict_proba(X).tolist() == [[1]] * len(X)
    scores = per_class(confusion_matrix(y, network.predict(X), classes=1))
    assert scores.precision.tolist() == scores.recall.tolist() == scores.f1.tolist() == [1]
    assert wilson_interval(len(X), len(X))[1] == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("all-zero images", "there is nothing to learn"),
        ("constant pixels", "there is nothing to learn"),
        ("one class only", "there is nothing to learn"),
        ("one image that is not black", ""),
        ("one label that is not 2", ""),
    ],
)
def test_odd_images_are_refused_or_trained_on_to_finite_weights_and_pictures(
    kind: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (70, 49)), rng.integers(0, 3, 70)
    if "class" in kind or "label" in kind:
        labels[...] = 2
    else:
        pixels[...] = 255 if kind == "constant pixels" else 0
    if kind == "one image that is not black":
        pixels[3, 20:25] = 200
    if kind == "one label that is not 2":
        labels[3] = 1
    monkeypatch.chdir(tmp_path)
    np.savetxt("odd.csv", np.column_stack([labels, pixels]), fmt="%d", delimiter=",")
    options = "--data odd.csv --layers 49,8,10 --epochs 3 --batch-size 1 --run odd --quiet"
    monkeypatch.setattr(sys, "argv", ["chainrule", "train", *options.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert bool(end.value.code) == bool(said)
    assert said in capsys.readouterr().err
    if said:
        assert not Path("runs/odd").exists()
        return
    assert np.isfinite(load_model("runs/odd/model.safetensors").network.parameters).all()
    assert {path.suffix for path in Path("runs/odd").iterdir()} >= {".png", ".json", ".toml"}

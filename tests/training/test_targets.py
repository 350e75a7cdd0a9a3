"""Training on values and with weights: what is learned, measured, refused and skipped."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from scipy.optimize import minimize

import chainrule as cr
import chainrule.training.microbatches
from chainrule.core.arrays import Array
from chainrule.core.errors import ConfigError
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.job import prepare
from chainrule.experiments.settings import Settings
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from chainrule.training.evaluate import evaluate
from chainrule.training.objective import loss_and_gradient, objective
from chainrule.training.scores import SCORES
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, as_epoch, train
from helpers.losses import OF_LABELS, OF_VALUES, values_for

ROWS = 22
CASES = [(name, False) for name in OF_LABELS] + [(name, True) for name in OF_VALUES]


def network_for(loss: str, dtype: Any = np.float64, outputs: int = 3, **more: Any) -> Network:
    row = LOSSES[loss]
    return Network.dense(
        [6, 8, outputs], "tanh", rng=np.random.default_rng(4), output=row.output, link=row.link,
        dtype=dtype, **more,
    )  # fmt: skip


def examples_for(loss: str, of_values: bool, rows: int = ROWS) -> tuple[Array, Array]:
    rng = np.random.default_rng(7)
    X = rng.random((rows, 6))
    return X, values_for(loss, (rows, 3), rng) if of_values else rng.integers(0, 3, rows)


def trained(network: Network, examples: Any, **settings: Any) -> tuple[Network, list[Epoch]]:
    settings = {"rng": None, "epochs": 3, "optimizer": "momentum", "batch_size": 0} | settings
    return network, list(train(network, examples, learning_rate=0.05, **settings))


@pytest.fixture
def _microbatches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "MICROBATCH_ROWS", request.param)
    monkeypatch.setattr(chainrule.training.microbatches, "WORK_PER_CORE", 1)


@pytest.mark.parametrize(
    ("_microbatches", "threads"), [(1024, 1), (3, 1), (3, 2)], indirect=["_microbatches"]
)
@pytest.mark.parametrize(("loss", "of_values"), CASES)
@pytest.mark.usefixtures("_microbatches")
def test_whole_weights_train_the_network_of_repeated_rows(
    loss: str, of_values: bool, threads: int
) -> None:
    X, y = examples_for(loss, of_values)
    repeats = np.arange(ROWS) % 4
    rows = np.repeat(np.arange(ROWS), repeats)
    more = {"loss": loss, "l2": 0.01, "max_norm": 0.5}
    expected, epochs = trained(network_for(loss), (X[rows], y[rows]), **more, threads=1)
    weighted = X, y, repeats.astype(np.float64)
    network, found = trained(network_for(loss), weighted, **more, threads=threads)
    np.testing.assert_allclose(network.parameters, expected.parameters, rtol=1e-10, atol=1e-12)
    for mine, other in zip(found, epochs, strict=True):
        assert mine.loss == pytest.approx(other.loss, rel=1e-10)
        assert mine.objective == pytest.approx(other.objective, rel=1e-10)


@pytest.mark.parametrize("_microbatches", [2, 3], indirect=True)
@pytest.mark.parametrize(("loss", "of_values"), CASES)
@pytest.mark.usefixtures("_microbatches")
def test_parts_of_a_batch_weigh_by_their_sums_of_weights(loss: str, of_values: bool) -> None:
    X, y = examples_for(loss, of_values)
    weights = np.random.default_rng(1).random(ROWS)
    weights[:3] = 0  # a part that weighs nothing
    whole = network_for(loss)
    value, gradient = loss_and_gradient(whole, (X, y, weights), loss=loss, l2=0.1, threads=2)
    exact, dlogits = LOSSES[loss].function(
        whole.forward(X, cr.Workspace(whole, ROWS)), y, weights=weights
    )
    penalty = 0.05 * sum(float(np.square(W).sum()) for W in whole.W)
    assert value == pytest.approx(exact + penalty, rel=1e-12)
    workspace = cr.Workspace(whole, ROWS)
    whole.forward(X, workspace)
    expected = whole.backward(dlogits, workspace)
    expected[: whole.layout.weights_end] += 0.1 * whole.parameters[: whole.layout.weights_end]
    np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("loss", "of_values"), CASES)
def test_a_batch_that_weighs_nothing_takes_no_step(loss: str, of_values: bool) -> None:
    X, y = examples_for(loss, of_values, 12)
    weights = np.repeat([1.0, 0.0, 0.5], 4)
    settings: Any = {"loss": loss, "batch_size": 4, "optimizer": "adam", "epochs": 2}
    network, epochs = trained(network_for(loss), (X, y, weights), **settings)
    kept = np.r_[0:4, 8:12]
    without = trained(network_for(loss), (X[kept], y[kept], weights[kept]), **settings)
    assert network.parameters.tobytes() == without[0].parameters.tobytes()
    assert [epoch.step for epoch in epochs] == [2, 4]
    assert [epoch.loss for epoch in epochs] == [epoch.loss for epoch in without[1]]


def test_a_weighted_run_that_was_cut_goes_on_to_the_same_bits() -> None:
    X, y = examples_for("squared-error", True)
    examples = X, y, np.arange(ROWS) % 3 / 2
    settings: Any = {"loss": "squared-error", "batch_size": 5, "epochs": 4}
    whole, epochs = trained(
        network_for("squared-error"), examples, **settings, rng=np.random.default_rng(2)
    )
    progress, calls = Progress(), iter(range(100))
    cut = network_for("squared-error")
    trained(
        cut, examples, **settings, rng=np.random.default_rng(2), progress=progress,
        stop=lambda: next(calls) == 7,
    )  # fmt: skip
    resumed, rest = trained(
        network_for("squared-error"), examples, **settings, rng=np.random.default_rng(2),
        progress=progress,
    )  # fmt: skip
    assert resumed.parameters.tobytes() == whole.parameters.tobytes()
    assert [epoch.loss for epoch in rest] == [epoch.loss for epoch in epochs[-len(rest) :]]


@pytest.mark.parametrize("validated", [True, False])
def test_a_weighted_run_of_values_is_saved_read_and_resumed_to_the_same_bits(
    validated: bool, tmp_path: Path
) -> None:
    X, y = examples_for("squared-error", True)
    examples = X, y, np.arange(ROWS) % 3 / 2
    settings: Any = {
        "loss": "squared-error", "batch_size": 5, "epochs": 4,
        "validation": (X, y) if validated else None,
    }  # fmt: skip
    whole, epochs = trained(
        network_for("squared-error"), examples, **settings, rng=np.random.default_rng(2)
    )
    progress, calls = Progress(), iter(range(100))
    _, before = trained(
        network_for("squared-error"), examples, **settings, rng=np.random.default_rng(2),
        progress=progress, stop=lambda: next(calls) == 7,
    )  # fmt: skip
    history = [asdict(epoch) for epoch in before]
    read = read_checkpoint(write_checkpoint(tmp_path, Checkpoint(progress, history, {}, {}, {})))
    resumed, rest = trained(
        network_for("squared-error"), examples, **settings, rng=np.random.default_rng(2),
        progress=read.progress,
    )  # fmt: skip
    assert resumed.parameters.tobytes() == whole.parameters.tobytes()
    known = [*map(as_epoch, read.history), *rest]
    assert [asdict(epoch) | {"seconds": 0} for epoch in known] == [
        asdict(epoch) | {"seconds": 0} for epoch in epochs
    ]


def test_two_epochs_of_regression_are_those_of_torch(torch: ModuleType) -> None:
    X, y = examples_for("squared-error", True)
    weights = np.random.default_rng(3).random(ROWS)
    network = network_for("squared-error")
    W, b = (
        [torch.tensor(part.copy(), requires_grad=True) for part in parts]
        for parts in (network.W, network.b)
    )
    optimizer = torch.optim.Adam([*W, *b], lr=0.05)
    for _ in range(2):
        for start in range(0, ROWS, 8):
            part = slice(start, start + 8)
            A = torch.tanh(torch.addmm(b[0], torch.tensor(X[part]), W[0]))
            squares = (torch.addmm(b[1], A, W[1]) - torch.tensor(y[part])) ** 2
            w = torch.tensor(weights[part])[:, None]
            optimizer.zero_grad()
            (0.5 * (w * squares).sum() / w.sum() / 3).backward()
            optimizer.step()
    trained(
        network, (X, y, weights), loss="squared-error", optimizer="adam", batch_size=8, epochs=2
    )
    for mine, other in zip(network.W + network.b, W + b, strict=True):
        np.testing.assert_allclose(mine, other.detach().numpy(), rtol=1e-8, atol=1e-10)


def oracle_score(name: str, network: Network, X: Array, y: Array, weights: Array | None) -> float:
    """The same of scikit-learn."""
    predicted = network.predict_values(X)
    metrics = sklearn.metrics
    if name == "accuracy":
        return float(metrics.accuracy_score(y, predicted.argmax(axis=1), sample_weight=weights))
    if name == "subset-accuracy":
        return float(metrics.accuracy_score(y, predicted >= 0.5, sample_weight=weights))
    function = metrics.r2_score if name == "r2" else metrics.mean_absolute_error
    return float(function(y, predicted, sample_weight=weights))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "of_values", "score"),
    [
        *((loss, False, "accuracy") for loss in OF_LABELS),
        ("sigmoid-cross-entropy", True, "subset-accuracy"),
        *((loss, True, "r2") for loss in OF_VALUES),
        *((loss, True, "mean-absolute-error") for loss in OF_VALUES),
    ],
)
def test_scores_are_those_of_scikit_learn(
    loss: str, of_values: bool, score: str, weighted: bool
) -> None:
    X, y = examples_for(loss, of_values, 2100)
    y = (y > 0).astype(float) if score == "subset-accuracy" else y
    network = network_for(loss)
    weights = np.random.default_rng(3).random(len(X)) if weighted else None
    examples: Any = (X, y) if weights is None else (X, y, weights)
    mean, found = evaluate(network, examples, loss=loss, score=score)
    assert found == pytest.approx(oracle_score(score, network, X, y, weights), rel=1e-10)
    outputs = network.forward(X, cr.Workspace(network, len(X)))
    expected = LOSSES[loss].function(outputs, y, weights=weights)[0]
    assert mean == pytest.approx(expected, rel=1e-12)


def test_each_score_is_tested_and_each_loss_has_one() -> None:
    assert [*SCORES] == ["accuracy", "subset-accuracy", "r2", "mean-absolute-error"]
    for loss, of_values in CASES:
        X, y = examples_for(loss, of_values)
        network = network_for(loss)
        usual = "accuracy" if not of_values else "r2"
        usual = "subset-accuracy" if of_values and "sigmoid" in loss else usual
        assert evaluate(network, (X, y), loss=loss) == evaluate(
            network, (X, y), loss=loss, score=usual
        )


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_r2_of_values_that_do_not_vary_is_one_or_zero(constant: float) -> None:
    network = network_for("squared-error")
    network.parameters[...] = 0
    X, y = np.random.default_rng(0).random((9, 6)), np.full((9, 3), constant)
    _, found = evaluate(network, (X, y), loss="squared-error")
    assert found == sklearn.metrics.r2_score(y, network.predict_values(X)) == (constant == 0)


@pytest.mark.parametrize(("loss", "of_values"), CASES)
def test_an_epoch_has_the_score_that_goes_with_the_loss(loss: str, of_values: bool) -> None:
    X, y = examples_for(loss, of_values)
    network, epochs = trained(network_for(loss), (X, y), loss=loss, validation=(X, y))
    mean, score = evaluate(network, (X, y), loss=loss)
    last = epochs[-1]
    assert (last.validation_loss, last.validation_score) == (mean, score)
    if loss in ("squared-error", "poisson"):
        assert asdict(last)["validation_r2"] == score
        assert last.validation_accuracy is None
    else:
        assert last.validation_accuracy == score
        assert "validation_r2" not in asdict(last)


def test_a_network_learns_a_sum_a_count_and_which_of_three_hold() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    sums = X[:, :3] + X[:, 3:]
    targets = {
        "squared-error": sums,
        "poisson": rng.poisson(np.exp(sums / 2)).astype(float),
        "sigmoid-cross-entropy": (sums > 0).astype(float),
    }
    # A count scatters about its mean: no network explains more than the true means do.
    best = sklearn.metrics.r2_score(targets["poisson"], np.exp(sums / 2))
    bars = {"squared-error": 0.97, "poisson": best - 0.05, "sigmoid-cross-entropy": 0.9}
    for loss, y in targets.items():
        _, epochs = trained(
            network_for(loss), (X, y), loss=loss, validation=(X, y), epochs=60, batch_size=40,
            optimizer="adam", rng=np.random.default_rng(1),
        )  # fmt: skip
        score = epochs[-1].validation_score
        assert score is not None
        assert score > bars[loss]


def test_one_logistic_output_is_a_softmax_of_two() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 6)), rng.integers(0, 2, 30)
    one = network_for("sigmoid-cross-entropy", outputs=1)
    two = network_for("softmax-cross-entropy", outputs=2)
    two.W[0][...], two.b[0][...] = one.W[0], one.b[0]
    two.W[1][...], two.b[1][...] = 0, 0
    two.W[1][:, 1:], two.b[1][1:] = one.W[1], one.b[1]
    yes = y[:, None].astype(float)
    assert evaluate(one, (X, yes), loss="sigmoid-cross-entropy") == pytest.approx(
        evaluate(two, (X, y)), rel=1e-12
    )


def test_l_bfgs_finds_the_least_squares() -> None:
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(50, 3)), rng.random(50)
    y = X @ rng.normal(size=(3, 2)) + rng.normal(size=(50, 2))
    network = Network.dense([3, 2], rng=rng, link="identity", dtype=np.float64)
    with objective(network, (X, y, weights), loss="squared-error") as value_and_gradient:

        def at(parameters: Array) -> tuple[float, Array]:
            network.parameters[...] = parameters
            value, gradient = value_and_gradient()
            return value, gradient.copy()

        found = minimize(at, network.parameters.copy(), jac=True, method="L-BFGS-B", tol=1e-14)
    network.parameters[...] = found.x
    root = np.sqrt(weights)[:, None]
    exact = np.linalg.lstsq(root * np.c_[X, np.ones(50)], root * y, rcond=None)[0]
    np.testing.assert_allclose(network.W[0], exact[:3], atol=1e-5)
    np.testing.assert_allclose(network.b[0], exact[3], atol=1e-5)


def test_loss_and_gradient_draw_the_same_numbers_each_time() -> None:
    X, y = examples_for("softmax-cross-entropy", False)
    network = network_for("softmax-cross-entropy", dropout=0.5)
    before = network.state.tobytes()
    value, gradient = loss_and_gradient(network, (X, y), rng=np.random.default_rng(1))
    again = loss_and_gradient(network, (X, y), rng=np.random.default_rng(1))
    assert (again[0], again[1].tobytes()) == (value, gradient.tobytes())
    assert value != loss_and_gradient(network, (X, y), rng=np.random.default_rng(2))[0]
    assert network.state.tobytes() == before
    with pytest.raises(ValueError, match="need rng: give one"):
        loss_and_gradient(network, (X, y))


X, Y = examples_for("softmax-cross-entropy", False)
V = examples_for("squared-error", True)[1]


@pytest.mark.parametrize(
    ("examples", "settings", "words"),
    [
        ((X, Y), {"loss": "squared-error"}, "takes values, and the target is labels"),
        ((X, V), {}, "takes labels, and the target is values"),
        ((X, V), {"loss": "poisson"}, "is not a finite number from 0 up"),
        ((X, V[:, 0]), {"loss": "squared-error"}, r"values\[:, None\]"),
        ((X, V[1:]), {"loss": "squared-error"}, "22 images and 21 values: give one row of"),
        ((X, Y, np.ones(21)), {}, r"weights have shape \(21,\)"),
        ((X, Y, -np.ones(22)), {}, r"weight -1\.0 of example 0"),
        ((X, V), {"loss": "squared-error", "label_smoothing": 0.1}, "values are no labels"),
        ((X, V), {"loss": "squared-error", "validation": (X, Y)}, "the target is labels"),
        ((X, V), {"loss": LOSSES["squared-error"].function, "validation": (X, Y)}, "for both"),
        ((X, Y), {"patience": 1}, "patience 1 needs a validation set"),
        ((X, Y), {"batch_size": -1}, "batch_size = -1"),
    ],
)
def test_calling_train_checks_its_arguments_at_once(
    examples: Any, settings: dict[str, Any], words: str
) -> None:
    settings = {"rng": None} | settings
    with pytest.raises(ValueError, match=words):
        train(network_for("squared-error"), examples, **settings)


def test_a_network_whose_link_is_not_the_losss_is_refused_for_values() -> None:
    network = Network.dense([6, 3], rng=np.random.default_rng(0), dtype=np.float64)
    for act in (
        lambda: train(network, (X, V), rng=None, loss="squared-error"),
        lambda: evaluate(network, (X, V), loss="squared-error"),
    ):
        with pytest.raises(ConfigError, match=r"network's are their softmax: .*link='identity'"):
            act()


def test_a_score_of_another_kind_of_target_is_refused() -> None:
    with pytest.raises(ValueError, match=r"score r2 does not compare .* choose one of accuracy"):
        evaluate(network_for("softmax-cross-entropy"), (X, Y), score="r2")
    with pytest.raises(ValueError, match="unknown score 'r3': choose one of accuracy, subset"):
        evaluate(network_for("squared-error"), (X, V), loss="squared-error", score="r3")


def test_what_is_compiled_knows_neither_weights_nor_values() -> None:
    pytest.importorskip("numba")
    settings: Any = {"rng": None, "optimizer": "sgd", "compiled": True}
    with pytest.raises(ValueError, match="without momentum, norms, penalties, averages, weights"):
        train(network_for("softmax-cross-entropy"), (X, Y, np.ones(ROWS)), **settings)
    yes = (V > 0).astype(float)
    network = network_for("sigmoid-cross-entropy")
    with pytest.raises(ValueError, match="cross-entropy of the logits of labels"):
        train(network, (X, yes), loss="sigmoid-cross-entropy", **settings)


@pytest.mark.parametrize("loss", ["squared-error", "poisson"])
def test_a_data_set_of_labels_is_no_job_for_a_loss_of_values(loss: str) -> None:
    images = Examples(np.random.default_rng(0).random((30, 4), np.float32), np.arange(30) % 2)
    data = Dataset("own", images, images, ("a", "b"), (1, 4), "own.csv", {})
    with pytest.raises(ConfigError, match=f"^loss {loss} compares with values, and a data set"):
        prepare(Settings(layers=(4, 3, 2), loss=loss), data)


def test_an_example_of_weight_nothing_may_be_anything() -> None:
    # Its loss is not finite only where the network itself diverges.
    weights = np.r_[np.zeros(1), np.ones(ROWS - 1)]
    wild = X.copy()
    wild[0] = 1e3
    settings: Any = {"epochs": 2, "optimizer": "sgd"}
    one, _ = trained(network_for("softmax-cross-entropy"), (wild, Y, weights), **settings)
    other, _ = trained(network_for("softmax-cross-entropy"), (X[1:], Y[1:]), **settings)
    np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-10, atol=1e-12)


def test_class_weights_go_where_sample_weights_go() -> None:
    weights = cr.class_weights(Y, "balanced").astype(np.float64)
    _, epochs = trained(network_for("softmax-cross-entropy"), (X, Y, weights), epochs=1)
    assert len(list(islice(epochs, 1))) == 1

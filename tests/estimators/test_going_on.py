"""Training goes on: epoch by epoch, after a fit, after a copy in a file; to the same bits."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(8)
X = rng.normal(size=(50, 4))
labels, values = rng.choice(["a", "b", "c"], 50), rng.normal(size=(50, 2))
SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (8,), "batch_size": 16, "random_state": 0, "max_iter": 6, "tol": 0.0,
    "n_iter_no_change": np.inf,
}  # fmt: skip
SOLVERS = ("sgd", "adam", "adamw", "rmsprop")


def parameters_of(estimator: NetworkEstimator) -> np.ndarray:
    return np.concatenate([each.ravel() for each in estimator.coefs_ + estimator.intercepts_])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("more", [{}, {"dropout": 0.2, "batch_norm": True}], ids=["plain", "drawn"])
def test_epochs_one_by_one_are_those_of_fit(solver: str, more: dict[str, Any]) -> None:
    whole = NetworkClassifier(**SMALL, solver=solver, **more).fit(X, labels)
    parts = clone(whole)
    for _ in range(SMALL["max_iter"]):
        parts.partial_fit(X, labels, classes=["a", "b", "c"])
    np.testing.assert_array_equal(parameters_of(whole), parameters_of(parts))
    assert whole.loss_curve_ == parts.loss_curve_
    assert whole.t_ == parts.t_


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_warm_start_goes_on_with_the_optimizers_memory(solver: str) -> None:
    whole = NetworkRegressor(**SMALL, solver=solver).fit(X, values)
    halves = NetworkRegressor(**SMALL | {"max_iter": 3}, solver=solver, warm_start=True)
    halves.fit(X, values).fit(X, values)
    np.testing.assert_array_equal(parameters_of(whole), parameters_of(halves))
    assert whole.loss_curve_ == halves.loss_curve_


def test_a_warm_start_of_another_solver_begins_where_the_first_ended() -> None:
    network = NetworkRegressor(**SMALL, warm_start=True).fit(X, values)
    before = network.loss_
    network.set_params(solver="lbfgs").fit(X, values)
    assert network.loss_ < before
    network.set_params(solver="adam").fit(X, values)
    assert len(network.loss_curve_) == 2 * SMALL["max_iter"]
    with pytest.raises(ValueError, match=r"the network has \[4, 8, 2\] units a layer, and"):
        network.set_params(hidden_layer_sizes=(9,)).fit(X, values)


def test_a_fresh_fit_keeps_nothing_of_the_one_before() -> None:
    network = NetworkRegressor(**SMALL, early_stopping=True).fit(X, values)
    network.set_params(solver="lbfgs", early_stopping=False).fit(X, values)
    alone = NetworkRegressor(**SMALL, solver="lbfgs").fit(X, values)
    assert vars(network).keys() == vars(alone).keys()
    np.testing.assert_array_equal(parameters_of(network), parameters_of(alone))


@pytest.mark.parametrize("first", [False, True])
def test_a_warm_start_may_begin_or_end_to_stop_early(first: bool) -> None:
    network = NetworkClassifier(**SMALL, warm_start=True, early_stopping=first).fit(X, labels)
    network.set_params(early_stopping=not first).fit(X, labels)
    assert len(network.loss_curve_) == 2 * SMALL["max_iter"]
    assert network.validation_scores_ is not None
    assert len(network.validation_scores_) == SMALL["max_iter"]
    assert (network.best_loss_ is None) is not first


def by_pickle(estimator: Any, folder: Path) -> Any:
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator: Any, folder: Path) -> Any:
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


def by_skops(estimator: Any, folder: Path) -> Any:
    io = pytest.importorskip("skops.io")
    io.dump(estimator, folder / "estimator.skops")
    unknown = io.get_untrusted_types(file=folder / "estimator.skops")
    assert all(name.startswith("chainrule.") for name in {*unknown} - {"numpy.dtype"}), unknown
    return io.load(folder / "estimator.skops", trusted=unknown)


@pytest.mark.parametrize("copied", [by_pickle, by_joblib, by_skops])
@pytest.mark.parametrize("solver", SOLVERS)
def test_what_comes_out_of_a_file_predicts_and_trains_on_to_the_same_bits(
    copied: Callable[[Any, Path], Any], solver: str, tmp_path: Path
) -> None:
    network = NetworkClassifier(**SMALL, solver=solver, standardize=True, batch_norm=True)
    network.fit(X, labels)
    twin = copied(network, tmp_path)
    np.testing.assert_array_equal(network.predict_proba(X), twin.predict_proba(X))
    for each in (network, twin):
        each.partial_fit(X, labels).partial_fit(X[:20], labels[:20])
    np.testing.assert_array_equal(network.predict_proba(X), twin.predict_proba(X))
    assert network.loss_curve_ == twin.loss_curve_


def test_a_copy_of_a_regressor_of_several_values_trains_on(tmp_path: Path) -> None:
    network = NetworkRegressor(**SMALL).fit(X, values)
    twin = by_pickle(network, tmp_path)
    for each in (network, twin):
        each.partial_fit(X, values)
    np.testing.assert_array_equal(network.predict(X), twin.predict(X))


def test_what_is_written_into_a_weight_is_what_predicts() -> None:
    network = NetworkRegressor(**SMALL).fit(X, values)
    network.coefs_[-1][...] = 0
    network.intercepts_[-1][...] = [1.0, 2.0]
    np.testing.assert_array_equal(network.predict(X[:2]), [[1.0, 2.0]] * 2)

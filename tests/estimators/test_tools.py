"""The estimators work in scikit-learn's tools, and with tables of pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import calibration
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
QUICK: dict[str, Any] = {
    "hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "max_iter": 30, "batch_size": 32,
    "random_state": 0,
}  # fmt: skip

CALIBRATIONS = ["sigmoid", *["temperature"] * hasattr(calibration, "_TemperatureScaling")]
"""The second since scikit-learn 1.8."""


def network(**parameters: Any) -> NetworkClassifier:
    return NetworkClassifier(**QUICK | {"standardize": True} | parameters)


def test_in_a_pipeline_searched_through_in_two_processes() -> None:
    pipeline = make_pipeline(StandardScaler(), network(standardize=False))
    grid = {"networkclassifier__alpha": [1e-4, 1e-2], "networkclassifier__dropout": [0.0, 0.1]}
    found = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, y)
    assert found.best_score_ > 0.9
    alone = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def test_cross_validated() -> None:
    assert cross_val_score(network(), X, y, cv=3).mean() > 0.9


@pytest.mark.parametrize("method", CALIBRATIONS)
def test_calibrated(method: str) -> None:
    calibrated = CalibratedClassifierCV(network(), method=method, cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9


def test_bagged_and_one_against_the_rest() -> None:
    assert BaggingClassifier(network(), 3, random_state=0).fit(X, y).score(X, y) > 0.9
    assert OneVsRestClassifier(network()).fit(X, y).score(X, y) > 0.9


def test_the_inputs_that_matter_are_found() -> None:
    values = 3 * X[:, 2] + 1
    fitted = NetworkRegressor(**QUICK | {"max_iter": 200}, standardize=True).fit(X, values)
    found = permutation_importance(fitted, X, values, n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() == 2


def test_the_names_of_a_table_are_kept_and_checked() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    fitted = network().fit(table, pandas.Series(y).map({0: "s", 1: "ve", 2: "vi"}))
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert set(fitted.predict(table)) <= {"s", "ve", "vi"}
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(table.rename(columns={"a": "z"}))

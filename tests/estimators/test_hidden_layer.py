"""HiddenLayer: what a hidden layer has learned, as features for anything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.hidden_layer import HiddenLayer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def network() -> NetworkClassifier:
    return NetworkClassifier((7, 5), max_iter=8, random_state=0, standardize=True)


@parametrize_with_checks([HiddenLayer(network())])
def test_every_check_of_scikit_learn_passes(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(("layer", "units"), [(0, 7), (1, 5), (-1, 5), (-2, 7)])
def test_its_features_are_the_activations_of_the_layer(layer: int, units: int) -> None:
    transformer = HiddenLayer(network(), layer=layer).fit(X, y)
    np.testing.assert_array_equal(transformer.transform(X), network().fit(X, y).hidden(X, layer))
    assert transformer.transform(X).shape == (150, units)
    assert transformer.get_feature_names_out().tolist() == [f"hiddenlayer{i}" for i in range(units)]


def test_in_a_pipeline_with_a_network_that_is_fitted_already() -> None:
    fitted = network().set_params(max_iter=100, batch_size=32).fit(X, y)
    pipeline = make_pipeline(HiddenLayer(FrozenEstimator(fitted)), LogisticRegression(C=100))
    assert pipeline.fit(X, y).score(X, y) > 0.95


def test_as_a_table() -> None:
    pytest.importorskip("pandas")
    transformer = HiddenLayer(network()).fit(X, y).set_output(transform="pandas")
    assert transformer.transform(X).columns[-1] == "hiddenlayer4"

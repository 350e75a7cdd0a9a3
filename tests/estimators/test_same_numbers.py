"""In file order the estimators take the very steps of scikit-learn's networks.

The same random weights, the same loss with its penalty, the same steps: what differs is the order
of the examples, which each draws in its own way, and the last digits.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

rng = np.random.default_rng(5)
X = rng.normal(size=(57, 6))
KINDS: dict[str, tuple[type, type, Any, dict[str, Any]]] = {
    "classes": (NetworkClassifier, MLPClassifier, rng.choice(["a", "b", "c"], 57), {}),
    "two classes": (NetworkClassifier, MLPClassifier, rng.choice([-1, 4], 57), {}),
    "several labels": (NetworkClassifier, MLPClassifier, rng.integers(0, 2, (57, 4)), {}),
    "values": (NetworkRegressor, MLPRegressor, rng.normal(size=57), {}),
    "several values": (NetworkRegressor, MLPRegressor, rng.normal(size=(57, 3)), {}),
    "counts": (NetworkRegressor, MLPRegressor, rng.poisson(2.0, 57), {"loss": "poisson"}),
}
if "loss" not in MLPRegressor().get_params():  # before scikit-learn 1.7
    del KINDS["counts"]
SOLVERS: dict[str, dict[str, Any]] = {
    "adam": {"solver": "adam", "epsilon": 1e-12},
    "sgd": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.01},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "momentum": 0},
}
SHARED = {
    "hidden_layer_sizes": (7, 5), "alpha": 0.3, "batch_size": 20, "max_iter": 4, "shuffle": False,
    "random_state": 3,
}  # fmt: skip


def both(kind: str, **parameters: Any) -> tuple[Any, Any]:
    """(ours, scikit-learn's), fitted alike."""
    ours, theirs, y, more = KINDS[kind]
    fitted = []
    for each in (ours, theirs):
        estimator = each(**SHARED | more | parameters)
        with pytest.warns(ConvergenceWarning):
            fitted.append(estimator.fit(X, y))
    return fitted[0], fitted[1]


def assert_same(ours: Any, theirs: Any, rtol: float = 1e-6) -> None:
    for name in ("coefs_", "intercepts_"):
        for mine, other in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            np.testing.assert_allclose(mine, other, rtol, atol=1e-7)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol)
    if isinstance(ours, NetworkRegressor):
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol, atol=1e-7)
    else:
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    for name in ("t_", "n_iter_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_and_losses_are_those_of_scikit_learn(kind: str, solver: str) -> None:
    assert_same(*both(kind, **SOLVERS[solver]))


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("kind", ["classes", "several values"])
def test_they_are_with_every_activation(kind: str, activation: str) -> None:
    assert_same(*both(kind, solver="sgd", momentum=0, activation=activation))


@pytest.mark.parametrize("kind", ["two classes", "values"])
def test_early_stopping_watches_the_same_examples(kind: str) -> None:
    # In steps of all examples at once their order does not matter.
    more = {"early_stopping": True, "validation_fraction": 0.3, "batch_size": 39, "max_iter": 6}
    ours, theirs = both(kind, solver="sgd", momentum=0, learning_rate_init=0.05, **more)
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, 1e-9)
    assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
    assert ours.best_loss_ is theirs.best_loss_ is None
    assert_same(ours, theirs)


def test_lbfgs_finds_the_minimum_that_scikit_learn_finds() -> None:
    for kind in ("two classes", "values"):
        ours, theirs, y, _more = KINDS[kind]
        parameters = {"solver": "lbfgs", "hidden_layer_sizes": (), "alpha": 1.0, "tol": 1e-9}
        mine, other = (each(**parameters, max_iter=900).fit(X, y) for each in (ours, theirs))
        np.testing.assert_allclose(mine.coefs_[0], other.coefs_[0], atol=1e-3)
        assert mine.loss_ == pytest.approx(other.loss_, rel=1e-7)


def test_the_defaults_are_those_of_scikit_learn() -> None:
    for ours, theirs in ((NetworkClassifier, MLPClassifier), (NetworkRegressor, MLPRegressor)):
        mine, other = ours().get_params(), theirs().get_params()
        assert other.items() <= mine.items()
        names, theirs_first = list(signature(ours).parameters), list(signature(theirs).parameters)
        assert names[: len(theirs_first)] == theirs_first


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", ["two classes", "values"])
def test_every_fitted_attribute_of_scikit_learn_is_there(kind: str, early_stopping: bool) -> None:
    ours, theirs = both(kind, early_stopping=early_stopping)
    fitted = {name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")}
    assert len(fitted) >= 13  # and feature_names_in_, of tables
    for name in fitted:
        assert hasattr(ours, name), name
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert isinstance(mine, float if isinstance(other, float) else type(other)), name
        assert not hasattr(type(ours)(), name), name


def test_a_wrong_parameter_is_named_in_the_words_of_scikit_learn() -> None:
    for parameters in ({"max_iter": -1}, {"alpha": -1.0}, {"tol": "x"}, {"momentum": 2}):
        said = []
        for each in (NetworkClassifier, MLPClassifier):
            with pytest.raises(ValueError, match="parameter of") as caught:
                each(**parameters).fit(X, KINDS["classes"][2])
            said.append(str(caught.value).replace("NetworkClassifier", "MLPClassifier"))
        assert said[0] == said[1]

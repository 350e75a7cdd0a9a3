"""What the estimators offer beyond scikit-learn's networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(8)
X = rng.normal(size=(90, 4)) * [1, 10, 0.1, 1] + [0, 100, 0, 3]
y = np.array(["no", "perhaps", "yes"])[(X[:, 0] > 0).astype(int) + (X[:, 3] > 3)]
values = X[:, 0] * 2 + X[:, 2]
SMALL: dict[str, Any] = {"hidden_layer_sizes": (8, 6), "max_iter": 15, "random_state": 0}


def classifier(**parameters: Any) -> NetworkClassifier:
    return NetworkClassifier(**SMALL | {"learning_rate_init": 0.02} | parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"solver": "adamw", "weight_decay": 0.5},
        {"solver": "rmsprop"},
        {"activation": ["tanh", "silu"]},
        {"activation": "gelu"},
        {"dropout": 0.3},
        {"batch_norm": True},
        {"label_smoothing": 0.2},
        {"class_weight": {"no": 3.0}},
        {"class_weight": "balanced"},
        {"learning_rate": "one-cycle"},
        {"standardize": True},
        {"dtype": "float32"},
    ],
    ids=str,
)
def test_each_parameter_changes_what_is_learned_and_gives_the_same_bits_again(
    parameters: dict[str, Any],
) -> None:
    plain, changed = classifier().fit(X, y), classifier(**parameters).fit(X, y)
    again = clone(changed).fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), changed.predict_proba(X))
    np.testing.assert_array_equal(changed.predict_proba(X), again.predict_proba(X))
    assert changed.predict_proba(X).sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_standardize_is_a_scaler_before_the_network() -> None:
    inside = classifier(standardize=True).fit(X, y)
    before = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    np.testing.assert_array_equal(inside.predict_proba(X), before.predict_proba(X))
    rows = sparse.csr_array(X * (X > 0))
    of_rows = classifier(standardize=True).fit(rows, y)
    before = make_pipeline(StandardScaler(with_mean=False), classifier()).fit(rows, y)
    np.testing.assert_array_equal(of_rows.predict_proba(rows), before.predict_proba(rows))


def test_class_weights_are_sample_weights() -> None:
    weights = np.where(y == "no", 3.0, 1.0)
    by_class = classifier(class_weight={"no": 3.0}).fit(X, y)
    by_example = classifier().fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_example.predict_proba(X))
    with pytest.raises(ValueError, match="'balanced' needs all examples at once"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=np.unique(y))


def test_your_own_validation_set_is_measured_after_each_epoch() -> None:
    theirs = classifier().fit(X[:60], y[:60])
    mine = classifier().fit(X[:60], y[:60], validation_data=(X[60:], y[60:]))
    np.testing.assert_array_equal(theirs.coefs_[0], mine.coefs_[0])
    assert mine.validation_scores_ is not None
    assert mine.validation_loss_curve_ is not None
    assert len(mine.validation_scores_) == len(mine.validation_loss_curve_) == mine.n_iter_
    assert mine.validation_scores_[-1] == accuracy_score(y[60:], mine.predict(X[60:]))
    expected = log_loss(y[60:], mine.predict_proba(X[60:]))
    assert mine.validation_loss_curve_[-1] == pytest.approx(expected)
    assert theirs.validation_scores_ is theirs.validation_loss_curve_ is None


@pytest.mark.parametrize("own", [False, True], ids=["split", "own"])
def test_early_stopping_keeps_the_best_weights(own: bool) -> None:
    noise = rng.normal(size=90)
    network = NetworkRegressor(
        **SMALL | {"early_stopping": True, "max_iter": 40, "learning_rate_init": 0.02},
        n_iter_no_change=50, standardize=True,
    )  # fmt: skip
    more = {"validation_data": (X[60:], noise[60:])} if own else {}
    network.fit(X[:60], noise[:60], **more)
    scores = network.validation_scores_
    assert scores is not None
    assert network.best_validation_score_ == max(scores)
    assert scores[-1] < max(scores)
    if own:
        assert r2_score(noise[60:], network.predict(X[60:])) == pytest.approx(max(scores))


def test_validation_data_of_other_classes_or_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="'maybe' is no class of the training examples"):
        classifier().fit(X, y, validation_data=(X[:1], ["maybe"]))
    with pytest.raises(ValueError, match="X has 3 features"):
        classifier().fit(X, y, validation_data=(X[:1, :3], y[:1]))


def test_hidden_activations_are_those_of_the_layers() -> None:
    network = classifier(activation="tanh").fit(X, y)
    first = np.tanh(X @ network.coefs_[0] + network.intercepts_[0])
    last = np.tanh(first @ network.coefs_[1] + network.intercepts_[1])
    np.testing.assert_allclose(network.hidden(X, layer=0), first, atol=1e-12)
    np.testing.assert_allclose(network.hidden(X), last, atol=1e-12)
    np.testing.assert_allclose(network.hidden(sparse.csr_array(X), 0), first, atol=1e-12)
    with pytest.raises(ValueError, match="layer 2: there are 2 hidden layers"):
        network.hidden(X, layer=2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"activation": ["relu"]}, "activation has 1 names, and there are 2 hidden layers"),
        ({"activation": ["relu", "rel"]}, "unknown activation 'rel': did you mean relu?"),
        ({"hidden_layer_sizes": (3, 0)}, r"hidden_layer_sizes must be > 0, got \[3, 0\]"),
        ({"solver": "lbfgs", "dropout": 0.5}, "lbfgs needs a loss that is the same"),
        ({"solver": "newton"}, "The 'solver' parameter of NetworkClassifier must be a str among"),
        ({"dropout": 1.0}, "The 'dropout' parameter of NetworkClassifier must be a float in"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**parameters).fit(X, y)


def test_one_cycle_runs_over_all_epochs_and_partial_fit_refuses_it() -> None:
    planned = classifier(learning_rate="one-cycle", tol=10.0, n_iter_no_change=1).fit(X, y)
    assert planned.n_iter_ == SMALL["max_iter"]
    with pytest.raises(ValueError, match="partial_fit does not know how many will come"):
        classifier(learning_rate="one-cycle").partial_fit(X, y, classes=np.unique(y))


def test_a_loss_that_diverges_is_told_in_the_words_of_scikit_learn() -> None:
    network = NetworkRegressor(solver="sgd", learning_rate_init=1e6, max_iter=30)
    with pytest.raises(ValueError, match=r"Solver produced non-finite .*try a learning rate of"):
        network.fit(X, values)
    with pytest.warns(ConvergenceWarning, match="the weights of the best epoch are kept"):
        network.set_params(early_stopping=True).fit(X, values)
    assert np.isfinite(network.predict(X)).all()

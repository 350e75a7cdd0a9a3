"""scikit-learn's callbacks are told of the fit and of each epoch, also through a search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from chainrule.estimators.classifier import NetworkClassifier

callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9 or later")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)


def network(**parameters: Any) -> NetworkClassifier:
    return NetworkClassifier(8, max_iter=4, random_state=0, **parameters)


class Told:
    """Keeps what it is told, and asks to end after some epochs."""

    def __init__(self, last: int = 99) -> None:
        self.last, self.begun, self.ended = last, 0, 0

    def setup(self, estimator: Any, context: Any) -> None: ...

    def teardown(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.begun += context.task_name == "epoch"

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        self.ended += context.task_name == "epoch"
        return self.ended == self.last


def test_they_are_told_of_each_epoch_and_change_nothing() -> None:
    told = Told()
    fitted = network().set_callbacks(told).fit(X, y)
    assert told.begun == told.ended == 4
    plain = network().fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))


def test_one_may_end_the_fit() -> None:
    told = Told(last=2)
    assert network().set_callbacks(told).fit(X, y).n_iter_ == 2
    assert told.begun == told.ended == 2


def test_a_monitor_scores_the_network_of_each_epoch() -> None:
    monitor = callback.ScoringMonitor(scoring="accuracy")
    fitted = network().set_callbacks(monitor).fit(X, y)
    table = monitor.get_logs().data_as_pandas
    scores = table["accuracy"].tolist()
    assert fitted.score(X, y) in scores
    each = [network().set_params(max_iter=epochs).fit(X, y).score(X, y) for epochs in (1, 2, 3, 4)]
    assert set(each) <= set(scores)


def test_a_progress_bar_comes_through_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    search = GridSearchCV(network(), {"alpha": [1e-4, 1e-3]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(X, y)
    assert "NetworkClassifier" in capsys.readouterr().out

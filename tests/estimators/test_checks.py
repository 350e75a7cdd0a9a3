"""The estimators keep scikit-learn's contract: its own checks, with no failure expected.

How many checks there are depends on what an estimator offers, so their number is part of the bar.
The short form runs in a process of its own, where no call's shapes are checked: that takes minutes.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import sklearn
from sklearn import neural_network
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators.classifier import NetworkClassifier
from chainrule.estimators.regressor import NetworkRegressor

SOLVERS = ("adam", "sgd", "adamw", "rmsprop")
RUN = """
import sys, warnings
from sklearn.utils.estimator_checks import check_estimator
import chainrule as cr
warnings.simplefilter("ignore")
found = check_estimator(eval(sys.argv[1]), on_fail=None, on_skip=None)
print(len(found), *sorted(each["check_name"] for each in found if each["status"] == "failed"))
"""


def checks(estimator: str) -> tuple[int, list[str]]:
    """(number of checks, names of those that fail)."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, estimator], capture_output=True, text=True, check=True
    )
    number, *failed = done.stdout.split()
    return int(number), failed


@pytest.mark.parametrize(("name", "today"), [("Classifier", 67), ("Regressor", 60)])
def test_all_checks_of_scikit_learn_pass_and_they_are_as_many_as_of_its_own(
    name: str, today: int
) -> None:
    number, failed = checks(
        f"cr.Network{name}(hidden_layer_sizes=16, learning_rate_init=0.02, max_iter=40)"
    )
    assert failed == []
    peer = getattr(neural_network, f"MLP{name}")()
    at_least = len(list(estimator_checks.estimator_checks_generator(peer)))
    assert number >= at_least
    assert at_least >= today or sklearn.__version__ < "1.9"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [each(solver=s) for each in (NetworkClassifier, NetworkRegressor) for s in SOLVERS]
)
def test_every_check_passes_with_every_solver(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("parameters", ["solver='lbfgs'", "early_stopping=True"])
@pytest.mark.parametrize("name", ["Classifier", "Regressor"])
def test_no_check_fails_that_scikit_learns_own_network_passes(name: str, parameters: str) -> None:
    _number, failed = checks(f"cr.Network{name}({parameters})")
    assert len(failed) <= 9
    for check in {*failed} - {"check_class_weight_classifiers"}:  # MLP has no class_weight
        peer = getattr(neural_network, f"MLP{name}")(**eval(f"dict({parameters})"))
        with pytest.raises((AssertionError, ValueError)):
            getattr(estimator_checks, check)(check, peer)

"""What `verbose` prints, in scikit-learn's words: the only lines that an estimator writes."""

from __future__ import annotations

from chainrule.estimators.parameters import Parameters


def say(estimator: Parameters, line: str) -> None:
    """Prints a line if the estimator is verbose."""
    if estimator.verbose:
        print(line)

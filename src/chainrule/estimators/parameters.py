"""Parameters of the estimators: what they are given, and the rules that they are held to.

Those of scikit-learn's MLPClassifier and MLPRegressor have its rules and its words, taken from the
installed version; ours stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.neural_network import MLPRegressor
from sklearn.utils._param_validation import Interval, StrOptions

from chainrule.core.arrays import Float, Target
from chainrule.estimators.learned import Learned
from chainrule.nn.activations import ACTIVATIONS

LOGISTIC = "logistic"
"""scikit-learn's name of the sigmoid."""

STOCHASTIC = ("sgd", "adam", "adamw", "rmsprop")
"""Solvers that learn batch by batch; the other one is lbfgs."""

PLANNED = ("one-cycle", "cosine")
"""Learning rates that run over all max_iter epochs."""


class Parameters(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators are given, and what they have once they are fitted."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{
            name: rules
            for name, rules in MLPRegressor._parameter_constraints.items()
            if name != "loss"
        },
        "activation": [StrOptions({LOGISTIC, *ACTIVATIONS}), "array-like"],
        "solver": [StrOptions({"lbfgs", *STOCHASTIC})],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", *PLANNED})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_norm": ["boolean"],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "standardize": ["boolean"],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
    }

    hidden_layer_sizes: Any
    activation: Any
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool | int
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: float
    batch_norm: bool
    weight_decay: float
    standardize: bool
    dtype: str

    n_features_in_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    n_iter_: int
    t_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None
    _learned: Learned
    _no_improvement_count: int

    @property
    def stochastic(self) -> bool:
        """Whether the solver learns batch by batch."""
        return self.solver in STOCHASTIC

    @property
    def coefs_(self) -> list[Float[np.ndarray, "_ _m"]]:
        """The weights of each layer, (inputs, units): what is written into them is learned."""
        return list(self._fitted("coefs_").network.W)

    @property
    def intercepts_(self) -> list[Float[np.ndarray, " _"]]:
        """The biases of each layer, (units,)."""
        return list(self._fitted("intercepts_").network.b)

    def _fitted(self, attribute: str) -> Learned:
        """What was learned; AttributeError before."""
        if "_learned" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has no {attribute} before it is fitted: call fit"
            )
        return self._learned

    def __sklearn_is_fitted__(self) -> bool:
        return "_learned" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _hidden_widths(self) -> list[int]:
        """The units of the hidden layers."""
        sizes = self.hidden_layer_sizes
        widths = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(not isinstance(width, Integral) or width <= 0 for width in widths):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
        return [int(width) for width in widths]

    def _activations(self, hidden: int) -> list[str]:
        """The activation of each hidden layer, by our names; one word stands for all."""
        given = self.activation
        names = [given] * hidden if isinstance(given, str) else list(given)
        if len(names) != hidden:
            raise ValueError(
                f"activation has {len(names)} names, and there are {hidden} hidden layers: give "
                "one for all, or one for each"
            )
        return ["sigmoid" if name == LOGISTIC else name for name in names]


def keep(estimator: Parameters, given: Mapping[str, Any]) -> None:
    """Keeps the arguments of `__init__` as they are, as scikit-learn asks of it."""
    for name, value in given.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def smoothing_of_labels(estimator: Parameters, target: Target) -> float:
    """The label smoothing that a loss of labels applies; values were smoothed before."""
    return float(getattr(estimator, "label_smoothing", 0.0)) if target.ndim == 1 else 0.0


Weights = Float[np.ndarray, " N"] | None
"""The weight of each example, or none."""

"""NetworkRegressor: a network that predicts numbers, behind the interface of MLPRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from chainrule.core.arrays import Float, Target
from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.classifier import has_partial_fit
from chainrule.estimators.learned import COUNT, VALUE, VALUES, Answer
from chainrule.estimators.parameters import keep


class NetworkRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """Regressor: a dense network, behind the interface of scikit-learn's MLPRegressor.

    Its parameters, their meanings and the fitted attributes are MLPRegressor's. Beyond them stand
    those of NetworkClassifier that are not about classes. `standardize` scales the inputs only.
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's own form
        **NetworkEstimator._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }
    loss: str

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: Any = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.001,
        power_t: Any = 0.5,
        max_iter: Any = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        nesterovs_momentum: Any = True,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: Any = 15000,
        dropout: Any = 0.0,
        batch_norm: Any = False,
        weight_decay: Any = 0.01,
        standardize: Any = False,
        dtype: Any = "auto",
    ) -> None:
        keep(self, locals())

    @available_if(has_partial_fit)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """Learns from these examples for one epoch."""
        return self._fit(X, y, sample_weight, incremental=True)

    def _target(self, y: Any, dtype: Any, *, fresh: bool, incremental: bool) -> Target:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return self._encoded(y, dtype)

    def _encoded(self, y: Any, dtype: Any) -> Target:
        values: Target = np.asarray(y, dtype)
        return values[:, None] if values.ndim == 1 else values

    def _answer(self) -> Answer:
        if self.loss == "poisson":
            return COUNT
        return VALUE if self.n_outputs_ == 1 else VALUES

    def predict(self, X: Any) -> Float[np.ndarray, ...]:
        """The predicted values, (N,), or (N, K) where there are several."""
        values = self._outputs(X)
        return values[:, 0] if values.shape[1] == 1 else values

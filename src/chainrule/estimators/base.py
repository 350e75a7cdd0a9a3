"""Estimator base: what classifier and regressor do alike, from arrays to a fitted network."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from chainrule.core.arrays import Float, Target, is_sparse
from chainrule.data.batches import ExampleArrays
from chainrule.estimators.callbacks import CallbackSupportMixin, Events, with_callbacks
from chainrule.estimators.fitting import begin, check_finite, fit_epochs
from chainrule.estimators.lbfgs import fit_lbfgs
from chainrule.estimators.learned import SEEDS, Answer, Learned, new_network
from chainrule.estimators.parameters import PLANNED, Parameters, Weights
from chainrule.nn.network import PREDICT_ROWS, Workspaces

SPARSE = ("csr",)
"""The sparse formats that are taken as they are."""


Estimator = TypeVar("Estimator", bound="NetworkEstimator")


class NetworkEstimator(CallbackSupportMixin, Parameters):  # type: ignore[misc]
    """What both estimators do alike."""

    @abstractmethod
    def _target(self, y: Any, dtype: Any, *, fresh: bool, incremental: bool) -> Target:
        """The target of a fit; a fresh one learns its kind, and its classes, first."""

    @abstractmethod
    def _encoded(self, y: Any, dtype: Any) -> Target:
        """The target of more examples, of the kind that was learned."""

    @abstractmethod
    def _answer(self) -> Answer:
        """The kind of answer that the network learns to give."""

    def _weighed(self, y: Any, weights: Weights, dtype: Any, *, incremental: bool) -> Weights:
        """The weights that the examples are learned with."""
        return weights

    def _strata(self, target: Target, fraction: float) -> Any:
        """What early stopping splits evenly, or None."""
        return None

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(
        self: Estimator, X: Any, y: Any, sample_weight: Any = None, validation_data: Any = None
    ) -> Estimator:
        """Fits the network to examples X (N, n), dense or CSR, and their target y.

        `validation_data`, (X, y) or (X, y, sample_weight), is measured after each epoch:
        `validation_scores_` and `validation_loss_curve_`; `early_stopping` then watches it.
        """
        return self._fit(X, y, sample_weight, validation_data)

    def _fit(
        self: Estimator,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any = None,
        *,
        incremental: bool = False,
    ) -> Estimator:
        self._validate_params()
        hidden = self._hidden_widths()
        activations = self._activations(len(hidden))
        fresh = not self.__sklearn_is_fitted__() or not (self.warm_start or incremental)
        dtypes = (np.float64, np.float32) if self.dtype == "auto" else np.dtype(self.dtype)
        X, y = self._arrays(X, y, dtypes if fresh else self._learned.network.dtype, reset=fresh)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        target = self._target(y, X.dtype, fresh=fresh, incremental=incremental)
        self.n_outputs_ = target.shape[1] if target.ndim == 2 else len(self.classes_)
        self._check_combinations(validation_data, incremental=incremental)
        random = check_random_state(self.random_state)
        widths = [X.shape[1], *hidden, self.n_outputs_]
        if fresh:
            self._begin(X, widths, activations, random, weights)
        elif self._learned.network.widths != widths:
            raise ValueError(
                f"the network has {self._learned.network.widths} units a layer, and the parameters "
                f"and the data ask for {widths}: fit without warm_start"
            )
        validated = self.early_stopping or validation_data is not None
        begin(self, fresh=fresh, validated=validated)
        events = Events(self, X, y, sample_weight, told=not incremental)
        X = self._scaled(X)
        learned_with = self._weighed(y, weights, X.dtype, incremental=incremental)
        training, validation = examples(X, target, learned_with), None
        if validation_data is not None:
            validation = self._validation(*validation_data)
        elif self.early_stopping and self.stochastic:
            train_rows, rows = self._split(target, random)
            training = examples(X[train_rows], target[train_rows], _of(learned_with, train_rows))
            validation = examples(X[rows], target[rows], _of(learned_with, rows))
        if self.stochastic:
            fit_epochs(self, training, validation, events, incremental=incremental)
        else:
            fit_lbfgs(self, training)
        check_finite(self)
        events.end()
        return self

    def _arrays(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> tuple[Any, Any]:
        """(X, y) as arrays that fit each other."""
        X, y = validate_data(
            self, X, y, accept_sparse=SPARSE, multi_output=True, dtype=dtype, reset=reset,
            y_numeric=hasattr(self, "loss"),
        )  # fmt: skip
        return X, y

    def _begin(
        self,
        X: Any,
        widths: list[int],
        activations: list[str],
        random: np.random.RandomState,
        weights: Weights,
    ) -> None:
        """Makes a new network, and what goes with it."""
        answer = self._answer()
        self.out_activation_, self.n_layers_ = answer.out_activation, len(widths)
        network = new_network(
            widths, activations, X.dtype, link=answer.link, random=random,
            batch_norm=bool(self.batch_norm), dropout=float(self.dropout),
        )  # fmt: skip
        # The seed is drawn apart, so that what early stopping splits is what MLP would.
        twin = np.random.RandomState()
        twin.set_state(random.get_state())
        seed = int(twin.randint(SEEDS))
        self._learned = Learned(network, answer.loss, seed)
        if self.standardize:
            self._learned.scaler = StandardScaler(with_mean=not is_sparse(X)).fit(
                X, sample_weight=weights
            )

    def _check_combinations(self, validation_data: Any, *, incremental: bool) -> None:
        """Raises ValueError for parameters that exclude each other."""
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if incremental and self.learning_rate in PLANNED:
            raise ValueError(
                f"learning_rate {self.learning_rate!r} is planned over max_iter epochs, and "
                "partial_fit does not know how many will come: call fit, or choose 'constant'"
            )
        if self.stochastic:
            return
        if self.dropout or self.batch_norm:
            raise ValueError(
                f"dropout {self.dropout}, batch_norm {self.batch_norm}: lbfgs needs a loss that is "
                "the same at each call; choose solver='adam'"
            )
        if validation_data is not None:
            raise ValueError(
                "validation_data is measured after each epoch, and lbfgs has none: choose "
                "solver='adam', or score(X, y) after fit"
            )

    def _validation(self, X: Any, y: Any, sample_weight: Any = None) -> ExampleArrays:
        """The examples of validation_data."""
        X, y = self._arrays(X, y, self._learned.network.dtype, reset=False)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        return examples(self._scaled(X), self._encoded(y, X.dtype), weights)

    def _split(self, target: Target, random: np.random.RandomState) -> tuple[Any, Any]:
        """The rows to train on, and those that early stopping watches."""
        train_rows, rows = train_test_split(
            np.arange(len(target)), random_state=random, test_size=self.validation_fraction,
            stratify=self._strata(target, self.validation_fraction),
        )  # fmt: skip
        if len(rows) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        return train_rows, rows

    def _scaled(self, X: Any) -> Any:
        scaler = self._learned.scaler
        return X if scaler is None else scaler.transform(X)

    def _inputs(self, X: Any) -> Any:
        """Inputs as the network takes them."""
        check_is_fitted(self)
        dtype = self._learned.network.dtype
        X = validate_data(self, X, accept_sparse=SPARSE, dtype=dtype, reset=False)
        return self._scaled(X)

    def _outputs(self, X: Any) -> Float[np.ndarray, "N K"]:
        """The network's predictions, one column an output."""
        inputs = self._inputs(X)
        with np.errstate(over="ignore", invalid="ignore"):
            return self._learned.network.predict_values(inputs)

    def hidden(self, X: Any, layer: int = -1) -> Float[np.ndarray, "N units"]:
        """The activations of a hidden layer, (N, units): 0 is the first, -1 the last."""
        inputs, network = self._inputs(X), self._learned.network
        hidden = len(network.layers) - 1
        if not -hidden <= layer < hidden:
            raise ValueError(f"layer {layer}: there are {hidden} hidden layers, 0 is the first")
        layer %= hidden
        activations = np.empty((inputs.shape[0], network.widths[1 + layer]), network.dtype)
        workspaces = Workspaces(network)
        for start in range(0, len(activations), PREDICT_ROWS):
            rows = slice(start, min(start + PREDICT_ROWS, len(activations)))
            workspace = workspaces[rows.stop - rows.start]
            network.forward(inputs[rows], workspace)
            activations[rows] = workspace.A[layer]
        return activations


def examples(X: Any, target: Target, weights: Weights) -> ExampleArrays:
    """Examples as `train` takes them."""
    return (X, target) if weights is None else (X, target, weights)


def _of(weights: Weights, rows: Any) -> Weights:
    return None if weights is None else weights[rows]

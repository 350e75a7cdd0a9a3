"""NetworkClassifier: a network that names classes, behind the interface of MLPClassifier."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)

from chainrule.core.arrays import Float, Target
from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.learned import CLASS, YES_OR_NO, Answer
from chainrule.estimators.parameters import Parameters, Weights, keep


def has_partial_fit(estimator: Parameters) -> bool:
    """True if the solver learns batch by batch; AttributeError, as of MLP, for lbfgs."""
    if not estimator.stochastic:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not "
            "stochastic."
        )
    return True


class NetworkClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """Classifier: a dense network, behind the interface of scikit-learn's MLPClassifier.

    Its parameters, their meanings and the fitted attributes are MLPClassifier's. Beyond them:

    activation        also leaky-relu, elu, gelu, silu, or one name for each hidden layer
    solver            also adamw (with `weight_decay`) and rmsprop
    learning_rate     also one-cycle and cosine, planned over max_iter epochs; invscaling and
                      adaptive are for sgd, adamw and rmsprop
    dropout           share of each hidden layer's outputs that a step drops
    batch_norm        normalises the hidden layers
    label_smoothing   share of each label's weight that is spread over all classes
    class_weight      "balanced", or the weight of each class
    standardize       scales each input to mean 0 and variance 1; the scaler is kept inside
    dtype             "float32" for speed; "auto" is that of X
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's own form
        **NetworkEstimator._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }
    classes_: Any
    label_smoothing: float
    class_weight: Any

    def __init__(
        self,
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
        label_smoothing: Any = 0.0,
        class_weight: Any = None,
        weight_decay: Any = 0.01,
        standardize: Any = False,
        dtype: Any = "auto",
    ) -> None:
        keep(self, locals())

    @available_if(has_partial_fit)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> NetworkClassifier:
        """Learns from these examples for one epoch; the first call names all `classes`."""
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def _target(self, y: Any, dtype: Any, *, fresh: bool, incremental: bool) -> Target:
        check_classification_targets(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(y)
        target = self._encoded(y, dtype)
        if self.label_smoothing and target.ndim == 2:
            target = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        return target

    def _check_classes(self, y: Any) -> None:
        """Raises ValueError, in MLP's words, for classes other than those learned."""
        classes = unique_labels(y)
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _encoded(self, y: Any, dtype: Any) -> Target:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y)
        unknown = np.setdiff1d(unique_labels(y), self.classes_)
        if len(unknown):
            raise ValueError(
                f"{unknown.tolist()[0]!r} is no class of the training examples: leave it out"
            )
        if self._label_binarizer.y_type_ == "multiclass":
            labels: Target = np.searchsorted(self.classes_, y)
            return labels
        values: Target = np.asarray(self._label_binarizer.transform(y), dtype)
        return values

    def _answer(self) -> Answer:
        return CLASS if self._label_binarizer.y_type_ == "multiclass" else YES_OR_NO

    def _weighed(self, y: Any, weights: Weights, dtype: Any, *, incremental: bool) -> Weights:
        if self.class_weight is None:
            return weights
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' needs all examples at once, and partial_fit has a part: "
                "give {class: weight}"
            )
        of_class: Weights = compute_sample_weight(self.class_weight, y).astype(dtype)
        return of_class if weights is None else weights * of_class

    def _strata(self, target: Target, fraction: float) -> Any:
        """The classes; of three or more only where each has examples enough on both sides."""
        if target.ndim == 2:
            return target.astype(bool) if target.shape[1] == 1 else None
        counts = np.bincount(target)
        counts = counts[counts > 0]
        held_out = np.ceil(fraction * len(target))
        enough = counts.min() >= 2 and len(counts) <= min(held_out, len(target) - held_out)
        return target if enough else None

    def predict(self, X: Any) -> Any:
        """The most probable class of each row; of several labels those above one half."""
        values = self._outputs(X)
        if self._label_binarizer.y_type_ == "multiclass":
            return self.classes_[values.argmax(axis=1)]
        values = values.ravel() if self.n_outputs_ == 1 else values
        return self._label_binarizer.inverse_transform(values)

    def predict_proba(self, X: Any) -> Float[np.ndarray, "N K"]:
        """The probability of each class, in the order of `classes_`."""
        values = self._outputs(X)
        return np.hstack([1 - values, values]) if self.n_outputs_ == 1 else values

    def predict_log_proba(self, X: Any) -> Float[np.ndarray, "N K"]:
        """The logarithms of `predict_proba`."""
        probabilities = self.predict_proba(X)
        logarithms: np.ndarray = np.log(probabilities, out=probabilities)
        return logarithms

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

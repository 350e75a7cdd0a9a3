"""HiddenLayer: a transformer whose features are what a hidden layer of a network has learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from chainrule.core.arrays import Float


class HiddenLayer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Transformer: fits a network, and gives the activations of one of its hidden layers.

        make_pipeline(HiddenLayer(NetworkClassifier((64, 8))), LogisticRegression())

    `layer` is 0 for the first hidden layer, -1 for the last. A network that is fitted already goes
    into scikit-learn's FrozenEstimator. The fitted network is `estimator_`.
    """

    def __init__(self, estimator: Any, *, layer: Any = -1) -> None:
        self.estimator = estimator
        self.layer = layer

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> HiddenLayer:
        """Fits the network to examples X (N, n) and their target y."""
        more = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator_ = clone(self.estimator).fit(X, y, **more)
        self.n_features_in_ = self.estimator_.n_features_in_
        if hasattr(self.estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.estimator_.feature_names_in_
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "N units"]:
        """The activations of the layer, one column a unit."""
        check_is_fitted(self)
        activations: np.ndarray = self.estimator_.hidden(X, self.layer)
        return activations

    @property
    def _n_features_out(self) -> int:
        widths = [each.shape[0] for each in self.estimator_.coefs_[1:]]
        return int(widths[self.layer])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

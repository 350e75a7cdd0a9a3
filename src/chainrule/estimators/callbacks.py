"""Callbacks of scikit-learn 1.9 and later: told of the fit and of each epoch, they may end it.

    NetworkClassifier().set_callbacks(ProgressBar(), ScoringMonitor(scoring="accuracy"))

They come through searches and pipelines, too. scikit-learn calls the interface experimental; where
it is missing, the estimators have no `set_callbacks`, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from chainrule.estimators.learned import Learned

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
    from sklearn.callback import with_callbacks as with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Before scikit-learn 1.9: nothing."""

    def with_callbacks(method: Method) -> Method:
        """Before scikit-learn 1.9: the method itself."""
        return method


class Events:
    """Events of one fit, told to the estimator's callbacks, if it has any."""

    def __init__(self, estimator: Any, X: Any, y: Any, weights: Any, *, told: bool) -> None:
        self.estimator = estimator
        self.context: Any = None
        self.epoch: Any = None
        metadata = None if weights is None else {"sample_weight": weights}
        self.told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        if told and hasattr(estimator, "_skl_callbacks"):
            steps = estimator.max_iter if estimator.stochastic else 0
            self.context = estimator._init_callback_context(max_subtasks=steps)
            self.context.call_on_fit_task_begin(**self.told)

    def begin_epoch(self) -> None:
        """Tells that an epoch begins."""
        if self.context is not None:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.told)

    def end_epoch(self) -> bool:
        """Tells that the epoch has ended; True if a callback asks to end the fit."""
        if self.context is None:
            return False
        return bool(
            self.epoch.call_on_fit_task_end(**self.told, reconstruction_attributes=self._fitted)
        )

    def end(self) -> None:
        """Tells that the fit has ended."""
        if self.context is not None:
            self.context.call_on_fit_task_end(**self.told, reconstruction_attributes=self._fitted)

    def _fitted(self) -> dict[str, Any]:
        """What a copy of the estimator needs to predict as it does now."""
        learned: Learned = self.estimator._learned
        return {"_learned": replace(learned, network=learned.network.copy())}

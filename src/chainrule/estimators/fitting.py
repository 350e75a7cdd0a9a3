"""Fitting by epochs: `train` with scikit-learn's rules of when to stop and what to keep.

Training ends after more than n_iter_no_change epochs in which the loss (with early_stopping the
validation score) did not improve by tol.
"""

from __future__ import annotations

import warnings
from contextlib import closing
from math import inf, isfinite, nan
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from chainrule.core.blas import one_blas_thread
from chainrule.core.errors import DivergenceError
from chainrule.data.batches import ExampleArrays
from chainrule.estimators.callbacks import Events
from chainrule.estimators.learned import penalty
from chainrule.estimators.parameters import PLANNED, Parameters, smoothing_of_labels
from chainrule.estimators.solvers import end_epoch, prepare
from chainrule.estimators.verbose import say
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, train

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need"
    " to be preprocessed."
)


RECORD: dict[str, Any] = {
    "loss_curve_": [],
    "best_loss_": inf,
    "validation_scores_": None,
    "validation_loss_curve_": None,
    "best_validation_score_": None,
    "_no_improvement_count": 0,
}
"""What solvers that learn batch by batch record, before the first epoch."""


def begin(estimator: Parameters, *, fresh: bool, validated: bool) -> None:
    """Prepares the record of training: empty for a fresh fit, else what this fit adds to."""
    e = estimator
    if fresh:
        e.n_iter_, e.t_ = 0, 0
        for name in RECORD:
            e.__dict__.pop(name, None)
    if not e.stochastic:
        return
    for name, value in RECORD.items():
        e.__dict__.setdefault(name, value)
    e.loss_curve_ = [*e.loss_curve_]
    if e.early_stopping:
        e.best_loss_ = None
    elif e.best_loss_ is None:
        e.best_loss_ = inf
    if validated and e.validation_scores_ is None:
        e.validation_scores_, e.validation_loss_curve_ = [], []
        e.best_validation_score_ = -inf


def fit_epochs(
    estimator: Parameters,
    examples: ExampleArrays,
    validation: ExampleArrays | None,
    events: Events,
    *,
    incremental: bool,
) -> None:
    """Trains for max_iter epochs at most, or for one."""
    e, learned = estimator, estimator._learned
    count, network = len(examples[1]), learned.network
    batch_size, epochs = _batch_size(e, count), 1 if incremental else e.max_iter
    prepare(e, epochs * -(-count // batch_size))
    best = network.state.copy() if e.early_stopping else None
    e.n_iter_ = 0
    if not incremental:
        e._no_improvement_count = 0
    progress = Progress(epoch=learned.epoch, step=learned.step)
    rng = np.random.default_rng(learned.seed)
    assert learned.optimizer
    assert learned.schedule
    try:
        epochs_of_fit: Any = train(
            network, examples, rng=rng if e.shuffle or network.has_training_mode else None,
            epochs=learned.epoch + epochs, batch_size=batch_size, loss=learned.loss,
            optimizer=learned.optimizer, learning_rate=learned.schedule, l2=penalty(e.alpha),
            label_smoothing=smoothing_of_labels(e, examples[1]), validation=validation,
            progress=progress,
        )  # fmt: skip
        # Held once: each epoch would set the limit and free it again, a tenth of a small one.
        with one_blas_thread(), closing(epochs_of_fit) as trained:
            events.begin_epoch()
            for epoch in trained:
                if record(e, epoch, count) and best is not None:
                    np.copyto(best, network.state)
                stalled = e._no_improvement_count > e.n_iter_no_change
                ends, words = end_epoch(e, stalled=stalled)
                if stalled and words:
                    say(e, f"{_stalled(e)} {words}")
                if events.end_epoch() or ends:
                    break
                if e.n_iter_ < epochs:
                    events.begin_epoch()
            else:
                if not incremental and e.learning_rate not in PLANNED:
                    warnings.warn(_unfinished(e), ConvergenceWarning, stacklevel=4)
    except DivergenceError as error:
        if best is None:
            raise ValueError(f"{NOT_FINITE} ({error})") from error
        _record_divergence(e)
        warnings.warn(
            f"{error}: the weights of the best epoch are kept", ConvergenceWarning, stacklevel=4
        )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    finally:
        learned.epoch, learned.step = progress.epoch, progress.step
        if best is not None:
            np.copyto(network.state, best)


def record(estimator: Parameters, epoch: Epoch, examples: int) -> bool:
    """Records an epoch in the fitted attributes; True if its validation score is the best."""
    e, outputs = estimator, estimator._learned.loss_outputs
    e.n_iter_ += 1
    e.t_ += examples
    e.loss_ = epoch.loss / outputs + (epoch.objective - epoch.loss)
    e.loss_curve_.append(e.loss_)
    say(e, f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")
    better = False
    score, before = epoch.validation_score, e.best_validation_score_
    if score is not None and epoch.validation_loss is not None:
        assert e.validation_scores_ is not None
        assert e.validation_loss_curve_ is not None
        assert before is not None
        e.validation_scores_.append(score)
        e.validation_loss_curve_.append(epoch.validation_loss / outputs)
        say(e, f"Validation score: {score:f}")
        better = score > before
        e.best_validation_score_ = max(score, before)
    if e.early_stopping:
        assert score is not None
        assert before is not None
        improved = score >= before + e.tol
    else:
        assert e.best_loss_ is not None
        improved = e.loss_ <= e.best_loss_ - e.tol
        e.best_loss_ = min(e.loss_, e.best_loss_)
    e._no_improvement_count = 0 if improved else e._no_improvement_count + 1
    return better


def _record_divergence(e: Parameters) -> None:
    """The epoch that diverged has neither loss nor score."""
    e.n_iter_ += 1
    e.loss_ = nan
    e.loss_curve_.append(nan)
    for curve in (e.validation_scores_, e.validation_loss_curve_):
        if curve is not None:
            curve.append(nan)


def check_finite(estimator: Parameters) -> None:
    """Raises ValueError for weights that are not finite."""
    parameters = estimator._learned.network.parameters
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(parameters.sum())
    if not (isfinite(total) or np.isfinite(parameters).all()):
        raise ValueError(NOT_FINITE)


def _batch_size(e: Parameters, examples: int) -> int:
    if isinstance(e.batch_size, str):  # "auto"
        return min(200, examples)
    if e.batch_size > examples:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=5,
        )
    return min(int(e.batch_size), examples)


def _stalled(e: Parameters) -> str:
    what = "Validation score" if e.early_stopping else "Training loss"
    return (
        f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} "
        "consecutive epochs."
    )


def _unfinished(e: Parameters) -> str:
    return (
        f"Stochastic Optimizer: Maximum iterations ({e.max_iter}) reached and the optimization "
        "hasn't converged yet."
    )

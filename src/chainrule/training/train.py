"""Training loop: a generator of epochs.

    for epoch in train(network, mnist.train, rng=rng, epochs=5):
        print(epoch.epoch, epoch.loss)

The caller decides what to do with the epochs: print, plot, save, or `break`. What `train` is given
is checked when it is called, not when the first epoch is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any

import numpy as np

from chainrule.core.arrays import is_sparse
from chainrule.core.blas import one_blas_thread
from chainrule.core.errors import DivergenceError
from chainrule.core.rng import as_generator, fold_in
from chainrule.core.threads import ThreadTeam
from chainrule.data.augment import Distorter, Distortion
from chainrule.data.batches import ExampleArrays, Rows, batch_rows
from chainrule.nn.losses import LossFunction, Strength, loss_function
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS, Optimizer
from chainrule.optim.schedules import Schedule
from chainrule.training.checks import check_training
from chainrule.training.compiled import CompiledStep, compile_optimizer
from chainrule.training.evaluate import measure
from chainrule.training.microbatches import Microbatches, team_size
from chainrule.training.options import Options
from chainrule.training.scores import score_of
from chainrule.training.state import Losses, Progress
from chainrule.training.step import Step
from chainrule.training.weights import FinalWeights


@dataclass(frozen=True)
class Epoch:
    """Result of one pass over the training set."""

    epoch: int
    """1, 2, 3, ..."""
    step: int
    """Steps taken since training began."""
    loss: float
    """Mean training loss, comparable to that of validation: without label smoothing and penalties.
    Each batch is measured before its own step, with dropout and noise."""
    objective: float
    """What was minimised: the same with label smoothing and penalties."""
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    """That of the epoch's last step."""
    seconds: float
    """Time spent on this epoch's steps, without the evaluation."""

    @property
    def validation_score(self) -> float | None:
        """The score that goes with the loss: validation_accuracy, or validation_r2."""
        return self.validation_accuracy


@dataclass(frozen=True)
class EpochOfValues(Epoch):
    """Result of one pass over a training set of values that are no yes or no."""

    validation_r2: float | None = None

    @property
    def validation_score(self) -> float | None:
        """The share of the values' variance that is explained."""
        return self.validation_r2


NOTHING = Losses(0.0, 0.0)
"""Losses of a batch that weighs nothing."""


def never() -> bool:
    """The default `stop`: always False."""
    return False


def train(
    network: Network,
    examples: ExampleArrays,
    *,
    rng: np.random.Generator | int | None,
    epochs: int = Options.epochs,
    batch_size: int = Options.batch_size,
    loss: str | LossFunction = Options.loss,
    optimizer: str | Optimizer = Options.optimizer,
    learning_rate: float | Schedule = Options.learning_rate,
    validation: ExampleArrays | None = None,
    patience: int = Options.patience,
    l2: Strength = Options.l2,
    label_smoothing: float = Options.label_smoothing,
    max_norm: float = Options.max_norm,
    max_weight_norm: float = Options.max_weight_norm,
    average: float = Options.average,
    distortion: Distortion | None = None,
    shape: tuple[int, int] | None = None,
    threads: int = Options.threads,
    compiled: bool = Options.compiled,
    stop: Callable[[], bool] = never,
    progress: Progress | None = None,
) -> Iterator[Epoch]:
    """Trains `network` in place; yields an Epoch after each pass over the examples.

    examples        (inputs (N, n) of the network's dtype, target), or (inputs, target, weights):
                    inputs may be sparse by rows, SciPy's csr_array; the target is labels (N,),
                    integers, or values (N, K), floats, as the loss takes them; a batch divides by
                    the sum of its weights, and takes no step where that is 0
    rng             a generator, or a seed: draws the order of each epoch, derived from the seed
                    and the epoch's number alone; None: the order of the file
    validation      measured after each epoch, never trained on
    l2              strength of the penalty, or a function that gives it for a batch whose weights
                    have such a sum
    distortion      distorts each image differently each time it is seen; needs its shape, (height,
                    width)
    stop            called before each step; True ends training there
    progress        kept up to date, to be saved; a saved one resumes where it was, to the same
                    bits, if everything else is unchanged

    The other keywords are those of `Options`, with its defaults and rules; 0 means off.
    Raises ValueError at once if data and network do not fit; later DivergenceError if the loss is
    no longer finite: the network then holds the last good weights.
    """
    options = Options.among(locals())
    rng = None if rng is None else as_generator(rng)
    check_training(
        network, examples, options, loss=loss, rng=rng, validation=validation,
        distortion=distortion, shape=shape,
    )  # fmt: skip
    if isinstance(optimizer, str):
        decayed = network.layout.weights_end
        optimizer = OPTIMIZERS[optimizer](network.parameters.size, network.dtype, decayed=decayed)
    schedule = learning_rate if isinstance(learning_rate, Schedule) else Schedule(learning_rate)
    # Dense inputs, labels that weigh the same.
    usual = len(examples) == 2 and examples[1].ndim == 1 and not is_sparse(examples[0])
    more = bool(l2 or max_norm or max_weight_norm or average or distortion) or not usual
    whole = compiled and not compile_optimizer(network, loss, optimizer, more=more)
    return _epochs(
        network, examples, rng=rng, validation=validation, loss=loss, l2=l2, optimizer=optimizer,
        schedule=schedule, options=options, whole=whole, stop=stop,
        distorter=partial(Distorter, shape, distortion, network.dtype)
        if distortion and shape
        else None,
        progress=Progress() if progress is None else progress,
    )  # fmt: skip


def _epochs(
    network: Network,
    examples: ExampleArrays,
    *,
    rng: np.random.Generator | None,
    validation: ExampleArrays | None,
    loss: str | LossFunction,
    l2: Strength,
    optimizer: Optimizer,
    schedule: Schedule,
    options: Options,
    whole: bool,
    stop: Callable[[], bool],
    distorter: Callable[[], Distorter] | None,
    progress: Progress,
) -> Iterator[Epoch]:
    """The epochs of a training that was checked; `whole` steps are compiled."""
    target, function, smoothing = examples[1], loss_function(loss), options.label_smoothing
    rows = min(options.batch_size or len(target), len(target))
    weights = FinalWeights(network, options)
    with ThreadTeam(team_size(network, rows, options.threads, whole=whole)) as team:
        microbatches = Microbatches(
            network, examples, team,
            rng=rng if network.has_training_mode or distorter else None, distorter=distorter,
        )  # fmt: skip
        step: Step | CompiledStep
        step = plain = Step(
            network, microbatches, loss=partial(function, label_smoothing=smoothing),
            plain=partial(function, label_smoothing=0.0) if smoothing else None,
            optimizer=optimizer, schedule=schedule, progress=progress, options=options,
            l2=l2, ema=weights.ema,
        )  # fmt: skip
        if whole:
            step = CompiledStep(plain, str(loss), smoothing, batch_size=rows)
        memory = {f"optimizer.{slot}": values for slot, values in optimizer.state.items()}
        arrays = {"parameters": network.state, "kept": step.guard.kept, "best": weights.best}
        progress.attach(arrays | memory | weights.arrays(), optimizer, schedule)
        try:
            while progress.epoch < options.epochs and not progress.waited > options.patience > 0:
                order = rng and fold_in(rng, progress.epoch + 1)
                batches = batch_rows(len(target), rows, order)
                means = run_epoch(step, islice(batches, progress.batches, None), stop)
                if means is None:
                    return
                trained = weights.measured(progress)
                measured = validation and measure(
                    trained, validation, loss=loss, threads=options.threads
                )
                r2 = score_of(loss, target) == "r2"
                epoch = _end_epoch(progress, schedule, means, measured, weights, r2=r2)
                weights.show(progress)
                yield epoch
                weights.hide(progress)
        except DivergenceError:
            weights.diverged = True
            raise
        finally:
            weights.show(progress)


def run_epoch(
    step: Step | CompiledStep, batches: Iterator[Rows], stop: Callable[[], bool]
) -> Losses | None:
    """Runs the remaining batches of an epoch; returns its mean losses, None if stopped."""
    progress = step.progress
    started = perf_counter() - progress.seconds
    # No warnings of overflow: the guard watches the loss, and reports it once, in words.
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with one_blas_thread(), ignored:
        for rows in batches:
            if stop():
                return None
            weight = step.microbatches.weight(rows)
            progress.add(step(rows, weight) if weight else NOTHING, weight)
            progress.seconds = perf_counter() - started
        # No batch follows the last step to show whether it diverged.
        step.guard.check()
    return Losses(progress.objective / progress.examples, progress.loss / progress.examples)


def _end_epoch(
    progress: Progress,
    schedule: Schedule,
    means: Losses,
    measured: tuple[float, float] | None,
    weights: FinalWeights,
    *,
    r2: bool,
) -> Epoch:
    """Updates schedule, progress and weights at the end of an epoch; the Epoch to yield.

    The score that was measured is R2, or else an accuracy.
    """
    validation_loss, score = measured or (None, None)
    monitored = means.objective if validation_loss is None else validation_loss
    rate, seconds = schedule(progress.step - 1), progress.seconds
    schedule.observe(monitored)
    progress.end_epoch(monitored)
    weights.end_epoch(progress)
    epoch = Epoch(
        epoch=progress.epoch, step=progress.step, loss=means.plain, objective=means.objective,
        validation_loss=validation_loss, validation_accuracy=None if r2 else score,
        learning_rate=rate, seconds=seconds,
    )  # fmt: skip
    return EpochOfValues(**asdict(epoch), validation_r2=score) if r2 else epoch


def as_epoch(record: Mapping[str, Any]) -> Epoch:
    """Epoch of a saved record. One of 0.1.0 has no objective: its loss was the objective."""
    kind = EpochOfValues if "validation_r2" in record else Epoch
    return kind(**{"objective": record["loss"]} | dict(record))

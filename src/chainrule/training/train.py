"""Training loop: a generator of epochs.

    for epoch in train(network, mnist.train, rng=rng, epochs=5):
        print(epoch.epoch, epoch.loss)

The caller decides what to do with the epochs: print, plot, save, or `break`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any

import numpy as np

from chainrule.core.blas import one_blas_thread
from chainrule.core.errors import ConfigError, DivergenceError
from chainrule.core.rng import check_generator, fold_in
from chainrule.core.threads import ThreadTeam
from chainrule.data.augment import Distorter, Distortion
from chainrule.data.batches import Rows, batch_rows, count
from chainrule.nn.losses import LOSSES, LossFunction
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS, Optimizer
from chainrule.optim.schedules import Schedule
from chainrule.training.compiled import CompiledStep, compile_optimizer
from chainrule.training.evaluate import Pair, check_examples, measure
from chainrule.training.microbatches import Microbatches, team_size
from chainrule.training.options import Options
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


def never() -> bool:
    """The default `stop`: always False."""
    return False


def train(
    network: Network,
    examples: Pair,
    *,
    rng: np.random.Generator | None,
    epochs: int = Options.epochs,
    batch_size: int = Options.batch_size,
    loss: str | LossFunction = Options.loss,
    optimizer: str | Optimizer = Options.optimizer,
    learning_rate: float | Schedule = Options.learning_rate,
    validation: Pair | None = None,
    patience: int = Options.patience,
    l2: float = Options.l2,
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

    examples        (images (N, n) of the network's dtype, labels (N,) integers)
    rng             draws the order of each epoch, derived from the generator's seed and the
                    epoch's number alone; None: the order of the file
    validation      measured after each epoch, never trained on
    distortion      distorts each image differently each time it is seen; needs its shape, (height,
                    width)
    stop            called before each step; True ends training there
    progress        kept up to date, to be saved; a saved one resumes where it was, to the same
                    bits, if everything else is unchanged

    The other keywords are those of `Options`, with its defaults and rules; 0 means off.
    Raises ValueError if data and network do not fit, DivergenceError if the loss is no longer
    finite: the network then holds the last good weights.
    """
    options = Options.among(locals())
    for pair in (examples, validation):
        if pair is not None:
            check_examples(network, *pair)
    check_options(
        network, options, loss=loss, rng=rng, validated=validation is not None,
        distortion=distortion, shape=shape,
    )  # fmt: skip
    function = LOSSES[loss].function if isinstance(loss, str) else loss
    if isinstance(optimizer, str):
        decayed = network.layout.weights_end
        optimizer = OPTIMIZERS[optimizer](network.parameters.size, network.dtype, decayed=decayed)
    schedule = learning_rate if isinstance(learning_rate, Schedule) else Schedule(learning_rate)
    rows = min(batch_size or len(examples[1]), len(examples[1]))
    more = bool(l2 or max_norm or max_weight_norm or average or distortion)
    whole = compiled and not compile_optimizer(network, loss, optimizer, more=more)
    progress = Progress() if progress is None else progress
    weights = FinalWeights(network, options)
    with ThreadTeam(team_size(network, rows, threads, whole=whole)) as team:
        microbatches = Microbatches(
            network, examples, team,
            rng=rng if network.has_training_mode or distortion else None,
            distorter=partial(Distorter, shape, distortion, network.dtype)
            if distortion and shape
            else None,
        )  # fmt: skip
        step: Step | CompiledStep
        step = plain = Step(
            network, microbatches, loss=partial(function, label_smoothing=label_smoothing),
            plain=partial(function, label_smoothing=0.0) if label_smoothing else None,
            optimizer=optimizer, schedule=schedule, progress=progress, options=options,
            ema=weights.ema,
        )  # fmt: skip
        if whole:
            step = CompiledStep(plain, str(loss), label_smoothing, batch_size=rows)
        memory = {f"optimizer.{slot}": values for slot, values in optimizer.state.items()}
        arrays = {"parameters": network.state, "kept": step.guard.kept, "best": weights.best}
        progress.attach(arrays | memory | weights.arrays(), optimizer, schedule)
        try:
            while progress.epoch < epochs and not progress.waited > patience > 0:
                order = rng and fold_in(rng, progress.epoch + 1)
                batches = batch_rows(len(examples[1]), rows, order)
                means = run_epoch(step, islice(batches, progress.batches, None), stop)
                if means is None:
                    return
                trained = weights.measured(progress)
                measured = validation and measure(
                    trained, validation, loss=function, threads=threads
                )
                epoch = _end_epoch(progress, schedule, means, measured, weights)
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
            progress.add(step(rows), count(rows))
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
) -> Epoch:
    """Updates schedule, progress and weights at the end of an epoch; the Epoch to yield."""
    validation_loss, validation_accuracy = measured or (None, None)
    monitored = means.objective if validation_loss is None else validation_loss
    rate, seconds = schedule(progress.step - 1), progress.seconds
    schedule.observe(monitored)
    progress.end_epoch(monitored)
    weights.end_epoch(progress)
    return Epoch(
        epoch=progress.epoch, step=progress.step, loss=means.plain, objective=means.objective,
        validation_loss=validation_loss, validation_accuracy=validation_accuracy,
        learning_rate=rate, seconds=seconds,
    )  # fmt: skip


def as_epoch(record: Mapping[str, Any]) -> Epoch:
    """Epoch of a saved record. One of 0.1.0 has no objective: its loss was the objective."""
    return Epoch(**{"objective": record["loss"]} | dict(record))


def check_options(
    network: Network,
    options: Options,
    *,
    loss: str | LossFunction,
    rng: np.random.Generator | None,
    validated: bool,
    distortion: Distortion | None = None,
    shape: tuple[int, int] | None = None,
) -> None:
    """Raises ConfigError for options that do not fit the network or each other."""
    if rng is not None:
        check_generator(rng)
    if options.patience and not validated:
        raise ConfigError(
            f"patience {options.patience} needs a validation set to measure: give validation= "
            "(--validation 1000)"
        )
    if (network.has_training_mode or distortion) and rng is None:
        raise ConfigError("dropout, noise, distortion and batch normalisation need rng: give one")
    if distortion and not shape:
        raise ConfigError("a distortion needs the shape of the images: give shape=(height, width)")
    if options.batch_size == 1 and any(layer.batch_norm for layer in network.layers):
        raise ConfigError(
            "batch_size 1: batch normalisation of a single row leaves nothing of it; give 2 or more"
        )
    if loss == "mean-squared-error" and network.link != LOSSES[loss].link:
        raise ConfigError(
            f"loss {loss} compares probabilities, but the network's outputs become some only by "
            f"its link, {network.link}: Network.dense(..., output='softmax', link='identity')"
        )

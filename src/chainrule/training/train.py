"""Training: forward, loss, backward, step, again and again, as a generator of epochs.

    for epoch in train(network, mnist.train, rng=rng, epochs=5):
        print(epoch.epoch, epoch.loss)

Whoever consumes the epochs decides what to do with them: print, plot, save, or `break`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from chainrule.core.errors import DivergenceError
from chainrule.core.rng import derive
from chainrule.core.threads import Crew
from chainrule.data.augment import Distorter, Distortion
from chainrule.data.batches import batch_rows
from chainrule.nn.losses import LOSSES, LossFunction
from chainrule.nn.network import Network
from chainrule.optim.ema import EVERY, Averager
from chainrule.optim.optimizers import OPTIMIZERS, Adam, Optimizer
from chainrule.optim.schedules import Schedule
from chainrule.training.compiled import CompiledStep, objection
from chainrule.training.evaluate import Pair, check_examples, evaluate
from chainrule.training.microbatches import crew_size
from chainrule.training.state import Progress
from chainrule.training.step import Stepper


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training set came to."""

    epoch: int
    """1, 2, 3, ..."""
    step: int
    """Steps taken since training began."""
    loss: float
    """Mean training loss, penalty included, each batch measured before its own step."""
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    """That of the epoch's last step."""
    seconds: float
    """Time spent on this epoch's steps, without the evaluation."""


def never() -> bool:
    """The default `stop`: go on."""
    return False


def train(
    network: Network,
    examples: Pair,
    *,
    rng: np.random.Generator | None,
    epochs: int = 5,
    batch_size: int = 128,
    loss: str | LossFunction = "softmax-cross-entropy",
    optimizer: str | Optimizer = "adam",
    learning_rate: float | Schedule = 1e-3,
    validation: Pair | None = None,
    patience: int | None = None,
    l2: float = 0.0,
    label_smoothing: float = 0.0,
    max_norm: float | None = None,
    max_weight_norm: float | None = None,
    average: float = 0.0,
    distortion: Distortion | None = None,
    shape: tuple[int, int] | None = None,
    threads: int | None = None,
    compiled: bool = False,
    stop: Callable[[], bool] = never,
    progress: Progress | None = None,
) -> Iterator[Epoch]:
    """Trains `network` in place; yields an Epoch after each pass over the examples.

    examples        (images (N, n) of the network's dtype, labels (N,) integers)
    rng             draws the order of each epoch, anew but derived from the generator's seed and
                    the epoch's number alone; None: the order of the file
    validation      measured after each epoch, never trained on
    patience        stop after more than this many epochs without a lower validation loss, and
                    give the weights of the best epoch back, however training ends
    l2              adds l2 / 2 * |weights|^2 to the loss
    max_norm        the gradient is shortened to this length where it is longer
    max_weight_norm each unit's weights are shortened to this length after each step
    average         measured, and left in the network at the end, is a moving average of the weights
                    with this decay a step, such as 0.999
    distortion      each image is distorted anew each time it is seen; needs its shape, (height,
                    width)
    threads         cores to use at most; None: all that BLAS would. Small batches use one whatever
                    is said here. Another number rounds differently, as the sums are others
    compiled        in machine code: Adam's update, or, meant for small batches, whole steps of
                    plain SGD; needs numba
    stop            asked before each step; True ends training there
    progress        is kept up to date, to be saved; a saved one goes on where it was, to the same
                    bits, if everything else is as it was

    Raises ValueError if data and network do not fit, DivergenceError when the loss is no longer
    finite: the network then holds the last good weights.
    """
    for pair in (examples, validation):
        if pair is not None:
            check_examples(network, *pair)
    if patience is not None and validation is None:
        raise ValueError(f"patience {patience} needs a validation set to measure: give validation=")
    function = LOSSES[loss].function if isinstance(loss, str) else loss
    if isinstance(optimizer, str):
        optimizer = OPTIMIZERS[optimizer](
            network.parameters.size, network.dtype, decayed=network.layout.weights_end
        )
    schedule = learning_rate if isinstance(learning_rate, Schedule) else Schedule(learning_rate)
    rows = min(batch_size, len(examples[1]))
    step = None
    if compiled:
        more = bool(l2 or max_norm or max_weight_norm or average or distortion)
        reason = objection(network, loss, optimizer, more=more)
        if reason:
            raise ValueError(reason)
        if isinstance(optimizer, Adam):
            optimizer.compile()
        else:
            step = CompiledStep(
                network, loss=str(loss), label_smoothing=label_smoothing, batch_size=rows
            )
    drawing = network.trains_otherwise or bool(distortion)
    if drawing and rng is None:
        raise ValueError("dropout, noise, distortion and batch normalisation need rng: give one")
    if distortion and not shape:
        raise ValueError("a distortion needs the shape of the images: give shape=(height, width)")
    learner = network.copy() if average else network
    progress = Progress() if progress is None else progress
    with Crew(crew_size(network, rows, threads, whole=step is not None)) as crew:
        stepper = Stepper(
            network,
            examples,
            loss=partial(function, label_smoothing=label_smoothing),
            optimizer=optimizer,
            schedule=schedule,
            crew=crew,
            progress=progress,
            l2=l2,
            max_norm=max_norm,
            max_weight_norm=max_weight_norm,
            averager=Averager(learner.state, network.state, average) if average else None,
            compiled=step,
            rng=rng if drawing else None,
            distorter=partial(Distorter, shape, distortion, network.dtype)
            if distortion and shape
            else None,
        )
        best = network.state.copy() if patience is not None else network.state[:0]
        memory = {f"optimizer.{slot}": values for slot, values in optimizer.state.items()}
        if average:
            memory["average"] = learner.state
        arrays = {"parameters": network.state, "kept": stepper.kept, "best": best}
        progress.attach(arrays | memory, optimizer, schedule)
        try:
            while progress.epoch < epochs and (patience is None or progress.waited <= patience):
                order = rng and derive(rng, progress.epoch + 1)
                batches = batch_rows(len(examples[1]), batch_size, order)
                mean = stepper.epoch(islice(batches, progress.batches, None), stop)
                if mean is None:
                    return
                measured = validation and evaluate(learner, validation, loss=function)
                validation_loss, validation_accuracy = measured or (None, None)
                monitored = mean if validation_loss is None else validation_loss
                rate, seconds = schedule(progress.step - 1), progress.seconds
                schedule.observe(monitored)
                progress.end_epoch(monitored)
                if patience is not None and not progress.waited:
                    np.copyto(best, learner.state)
                yield Epoch(
                    progress.epoch,
                    progress.step,
                    mean,
                    validation_loss,
                    validation_accuracy,
                    rate,
                    seconds,
                )
        except DivergenceError:
            learner = network  # whose last good weights are back
            raise
        finally:
            if average and progress.step < EVERY:
                learner = network
            if average or patience is not None:
                # To go on from; what is left in the network is to be used.
                progress.arrays["parameters"] = network.state.copy()
            if patience is not None and progress.best_step:
                learner.state[:] = best
            network.state[:] = learner.state

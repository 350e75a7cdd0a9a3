"""Training: forward, loss, backward, step, again and again, as a generator of epochs.

    for epoch in train(network, mnist.train, rng=rng, epochs=5):
        print(epoch.epoch, epoch.loss)

Whoever consumes the epochs decides what to do with them: print, plot, save, or `break`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from time import perf_counter
from typing import TypeAlias

import numpy as np

from chainrule.arrays import Array, Float, Int
from chainrule.data.batches import Batches
from chainrule.losses import LOSSES, LossFunction, check_labels, l2_penalty
from chainrule.network import Network, Workspace, Workspaces
from chainrule.optimizers import OPTIMIZERS, Optimizer, clip
from chainrule.schedules import Schedule

Pair: TypeAlias = tuple[Float[Array, "_ n"], Int[Array, " _"]]
"""(images, labels)"""

KEEP_EVERY = 100
"""Steps between two copies of the weights to fall back on; the copy costs less than 1 % so."""

EVALUATE_ROWS = 1000


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


class DivergenceError(ArithmeticError):
    """The loss stopped being a finite number; the network holds the last good weights again."""

    def __init__(self, message: str, *, step: int, layer: int | None, learning_rate: float) -> None:
        super().__init__(message)
        self.step = step
        self.layer = layer
        """The first layer, counted from 1, whose outputs are not finite; None: only the loss."""
        self.learning_rate = learning_rate
        """A learning rate to try."""


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
    stop: Callable[[], bool] = never,
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
    stop            asked before each step; True ends training there

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
            network.parameters.size, network.dtype, decayed=network.weights_end
        )
    schedule = learning_rate if isinstance(learning_rate, Schedule) else Schedule(learning_rate)
    batches = Batches(*examples, batch_size=batch_size)
    stepper = _Stepper(
        network,
        partial(function, label_smoothing=label_smoothing),
        optimizer,
        schedule,
        l2,
        max_norm,
    )
    best, best_loss, waited = network.parameters.copy(), inf, 0
    try:
        for number in range(1, epochs + 1):
            started = perf_counter()
            mean = stepper.epoch(batches.epoch(rng and epoch_generator(rng, number)), stop)
            seconds = perf_counter() - started
            if mean is None:
                return
            measured = validation and evaluate(network, validation, loss=function)
            validation_loss, validation_accuracy = measured or (None, None)
            monitored = mean if validation_loss is None else validation_loss
            rate = schedule(stepper.step - 1)
            schedule.observe(monitored)
            if monitored < best_loss:
                best_loss, waited = monitored, 0
                if patience is not None:
                    np.copyto(best, network.parameters)
            else:
                waited += 1
            yield Epoch(
                number, stepper.step, mean, validation_loss, validation_accuracy, rate, seconds
            )
            if patience is not None and waited > patience:
                return
    finally:
        if patience is not None and best_loss < inf:
            np.copyto(network.parameters, best)


def evaluate(
    network: Network, examples: Pair, *, loss: str | LossFunction = "softmax-cross-entropy"
) -> tuple[float, float]:
    """(mean loss, accuracy 0..1) of the network on (images, labels)."""
    function = LOSSES[loss].function if isinstance(loss, str) else loss
    workspaces = Workspaces(network)
    total, right = 0.0, 0
    # A network that ran away overflows here: the loss, infinite or not a number, says so.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for X, y in Batches(*examples, batch_size=EVALUATE_ROWS).epoch(None):
            workspace = workspaces[len(y)]
            outputs = network.forward(X, workspace)
            right += int(np.count_nonzero(outputs.argmax(axis=1) == y))
            total += function(outputs, y, workspace.loss)[0] * len(y)
    return total / len(examples[1]), right / len(examples[1])


def epoch_generator(rng: np.random.Generator, epoch: int) -> np.random.Generator:
    """The generator of one epoch: from the seed of `rng` and the epoch's number, nothing else."""
    seed = rng.bit_generator.seed_seq
    if not isinstance(seed, np.random.SeedSequence):
        raise ValueError(f"{rng} was made without a seed sequence: use numpy.random.default_rng")
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, epoch))
    return np.random.Generator(np.random.PCG64(child))


def check_examples(network: Network, images: Array, labels: Array) -> None:
    """Raises ValueError, naming value, rule and remedy, unless the examples fit the network."""
    inputs, classes = network.widths[0], network.widths[-1]
    if images.ndim != 2 or images.shape[1] != inputs:
        raise ValueError(
            f"images have shape {images.shape}: layer 1 takes {inputs} inputs, "
            f"so give (N, {inputs}), one example a row"
        )
    if images.dtype != network.dtype:
        raise ValueError(
            f"images are {images.dtype}, the network is {network.dtype}: "
            f"convert them, images.astype('{network.dtype}')"
        )
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"{len(images)} images and {len(labels)} labels: give one label an image")
    check_labels(labels, classes)
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(images.sum(dtype=np.float64))
    if not isfinite(total) and len(bad := np.argwhere(~np.isfinite(images))):
        row, column = bad[0]
        raise ValueError(
            f"image {row} has the value {images[row, column]} at input {column}: "
            "every input is a finite number; repair or leave out that example"
        )


class _Stepper:
    """The six lines of training, and the guard against a loss that is not finite."""

    def __init__(
        self,
        network: Network,
        loss: Callable[..., tuple[float, Array]],
        optimizer: Optimizer,
        schedule: Schedule,
        l2: float,
        max_norm: float | None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.l2 = l2
        self.max_norm = max_norm
        self.step = 0
        self.workspaces = Workspaces(network)
        self.kept = network.parameters.copy()
        self.scratch = np.zeros(network.weights_end if l2 else 0, network.dtype)

    def epoch(
        self, batches: Iterator[tuple[Array, Array]], stop: Callable[[], bool]
    ) -> float | None:
        """The mean loss over the batches; None if stopped on the way."""
        network, total, examples = self.network, 0.0, 0
        # An overflow is no news while the loss is watched: it is reported below, once, in words.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for X, y in batches:
                if stop():
                    return None
                workspace = self.workspaces[len(y)]
                logits = network.forward(X, workspace)
                loss, dlogits = self.loss(logits, y, workspace.loss)
                gradient = network.backward(dlogits, workspace)
                if self.l2:
                    weights = slice(network.weights_end)
                    loss += l2_penalty(
                        network.parameters[weights], gradient[weights], self.l2, self.scratch
                    )
                if not isfinite(loss):
                    raise self._diverged(loss, workspace)
                if self.step % KEEP_EVERY == 0:
                    np.copyto(self.kept, network.parameters)
                if self.max_norm:
                    clip(gradient, self.max_norm)
                self.optimizer.step(network.parameters, gradient, self.schedule(self.step))
                self.step += 1
                total += loss * len(y)
                examples += len(y)
            # No batch follows the last step to tell whether it went too far: ask the weights.
            parameters = network.parameters
            if not isfinite(float(np.dot(parameters, parameters))):
                raise self._diverged(loss, workspace)
        return total / examples

    def _diverged(self, loss: float, workspace: Workspace) -> DivergenceError:
        """Puts the last good weights back, and says where the numbers ran away."""
        network = self.network
        finite = (
            all(np.isfinite(values).all() for values in layer)
            for layer in zip(workspace.A, network.W, network.b, strict=True)
        )
        layer = next((number for number, good in enumerate(finite, 1) if not good), None)
        np.copyto(network.parameters, self.kept)
        rate = self.schedule(max(self.step - 1, 0))
        remedy = float(f"{rate / 10:.0e}")
        where = f"layer {layer} ({network.layers[layer - 1]})" if layer else "the loss itself"
        what = "the weights became infinite" if isfinite(loss) else f"the loss became {loss}"
        largest = float(np.abs(workspace.X).max())
        scale = f", or scale the inputs: they reach {largest:g}, not 1" if largest > 10 else ""
        return DivergenceError(
            f"{what} at step {self.step}, first in {where}, at learning rate "
            f"{rate:g}: try a learning rate of {remedy:g}{scale}; the weights of step "
            f"{self.step - 1 - (self.step - 1) % KEEP_EVERY if self.step else 0} are kept",
            step=self.step,
            layer=layer,
            learning_rate=remedy,
        )

"""Jobs: settings and data combined, ready to train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import ConfigError
from chainrule.core.jit import MISSING, available
from chainrule.data.augment import Distortion
from chainrule.data.batches import Pair, count
from chainrule.data.dataset import Dataset
from chainrule.experiments.memory import check_memory
from chainrule.experiments.quirks import QUIRK_LOSSES, QUIRK_SCHEDULES, ScalarBiasGradient, draw
from chainrule.experiments.settings import Settings, text
from chainrule.experiments.split import kind_of, remarks, split
from chainrule.nn.losses import LOSSES, LossFunction
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS, Optimizer
from chainrule.optim.schedules import SCHEDULES, Schedule, WarmUp
from chainrule.training.checks import check_options
from chainrule.training.compiled import objection
from chainrule.training.options import Options
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, never, train

DRAWING = ("batch_norm", "dropout", "input_dropout", "noise", "input_noise")
"""Settings whose training step needs a generator."""

ROUNDED = 1e-3
"""Far above the rounding of a byte / 255 in float32, far below the steps of most fractions."""


@dataclass(frozen=True)
class Job:
    """Job: a network, its data, and everything that training takes."""

    settings: Settings
    network: Network
    train: Pair
    validation: Pair | None
    test: Pair
    loss: LossFunction
    optimizer: Optimizer
    schedule: Schedule
    order: np.random.Generator | None
    """Draws the order of each epoch, and everything else a step draws."""
    shape: tuple[int, int]
    """Height and width of the images."""
    noun: str = "images"
    """What its examples are called."""
    remarks: tuple[str, ...] = ()
    """Sentences about the split, for people."""


def check_settings(settings: Settings) -> None:
    """Raises ConfigError for settings that no data can make right: ask before loading any."""
    drawing = distortion_of(settings) or any(getattr(settings, name) for name in DRAWING)
    if drawing and not settings.shuffle:
        raise ConfigError(
            "shuffle = false: dropout, noise, distortion and batch normalisation draw from the "
            "generator of the order; leave out one or the other"
        )
    if settings.compiled and not available():
        raise ConfigError(f"compiled = true: {MISSING}")
    if settings.loss in LOSSES and not LOSSES[settings.loss].labels:
        fitting = ", ".join(name for name, row in LOSSES.items() if row.labels)
        raise ConfigError(
            f"loss {settings.loss} compares with values, and a data set has labels: choose one of "
            f"{fitting}"
        )


def prepare(settings: Settings, data: Dataset, *, asked_for: frozenset[str] = frozenset()) -> Job:
    """Builds the job from settings and data.

    A recipe's first and last layer follow the data, and it holds out at most a sixth of the
    examples; settings in `asked_for` are taken as they are. Raises ConfigError if one does not fit.
    """
    check_settings(settings)
    settings = _fitted(settings, data, asked_for)
    table = data.schema is not None
    if table and (distortion_of(settings) or settings.pixel_divisor != 255):
        raise ConfigError(
            f"{data.name} is a table, whose inputs are standardised: distortions and pixel_divisor "
            "are for images; leave them out"
        )
    images, labels = data.train
    chosen = split(labels, vars(settings))
    check_memory(settings, count(chosen.train))
    # Separate streams: a different order, say, must not change the initial weights.
    initial, order = np.random.default_rng(settings.seed).spawn(2)
    row = LOSSES.get(settings.loss, LOSSES["softmax-cross-entropy"])
    network = Network.dense(
        settings.layers,
        settings.activation[0] if len(settings.activation) == 1 else settings.activation,
        rng=initial,
        initializer=settings.initializer or None,
        output=row.output,
        link=row.link,
        batch_norm=settings.batch_norm,
        dropout=settings.dropout,
        input_dropout=settings.input_dropout,
        noise=settings.noise,
        input_noise=settings.input_noise,
        dtype=settings.dtype,
    )
    if settings.draw:
        draw(network, settings.draw, seed=settings.seed)
    make = OPTIMIZERS[settings.optimizer]
    if settings.weight_decay:
        make = partial(make, weight_decay=settings.weight_decay)
    optimizer = make(network.parameters.size, network.dtype, decayed=network.layout.weights_end)
    if settings.scalar_bias_gradient:
        optimizer = ScalarBiasGradient(optimizer, network)
    check_options(
        network, settings, loss=settings.loss, rng=order if settings.shuffle else None,
        validated=bool(settings.validation),
    )  # fmt: skip
    if settings.compiled:
        more = settings.l2 or settings.max_norm or settings.max_weight_norm or settings.average
        reason = objection(
            network, settings.loss, optimizer, more=bool(more or distortion_of(settings))
        )
        if reason:
            raise ConfigError(f"compiled = true: {reason}")
    return Job(
        settings=settings,
        network=network,
        train=(inputs(images[chosen.train], settings, table=table), labels[chosen.train]),
        validation=None
        if chosen.validation is None
        else (inputs(images[chosen.validation], settings, table=table), labels[chosen.validation]),
        test=(inputs(data.test.images, settings, table=table), data.test.labels),
        loss=LOSSES[settings.loss].function
        if settings.loss in LOSSES
        else QUIRK_LOSSES[settings.loss],
        optimizer=optimizer,
        schedule=schedule_of(settings, count(chosen.train)),
        order=order if settings.shuffle else None,
        shape=data.shape,
        noun=data.noun,
        remarks=tuple(remarks(chosen, labels, data.classes)),
    )


def run(
    job: Job, *, stop: Callable[[], bool] = never, progress: Progress | None = None
) -> Iterator[Epoch]:
    """Trains the job's network; yields an Epoch after each pass."""
    settings = job.settings
    options = {each.name: getattr(settings, each.name) for each in fields(Options)}
    options |= {
        "loss": settings.loss if settings.compiled else job.loss,
        "optimizer": job.optimizer,
        "learning_rate": job.schedule,
    }
    return train(
        job.network,
        job.train,
        rng=job.order,
        validation=job.validation,
        distortion=distortion_of(settings) or None,
        shape=job.shape,
        stop=stop,
        progress=progress,
        **options,
    )


def distortion_of(settings: Settings) -> Distortion:
    """The distortion that the settings ask for; falsy if none."""
    return Distortion(**{field.name: getattr(settings, field.name) for field in fields(Distortion)})


def inputs(images: Array, settings: Settings, *, table: bool = False) -> Array:
    """The network's inputs: the images' bytes over `pixel_divisor`, in the network's precision.

    Those of a table are as they were standardised.
    """
    if settings.pixel_divisor == 255 and images.dtype == settings.dtype:
        return images
    if table:
        return images.astype(settings.dtype)
    scaled: Array = images.astype(np.float64) * 255
    whole = np.rint(scaled)
    if np.abs(scaled - whole).max(initial=0) < ROUNDED:  # bytes, kept as fractions
        scaled = whole
    return (scaled / settings.pixel_divisor).astype(settings.dtype, copy=False)


def _fitted(settings: Settings, data: Dataset, asked_for: frozenset[str]) -> Settings:
    layers, there = settings.layers, len(data.train.labels)
    used = min(settings.examples or there, there)
    ends = data.train.images.shape[1], len(data.classes)
    fitting = (ends[0], *layers[1:-1], ends[1])
    if "layers" in asked_for and layers != fitting:
        each = "inputs a row" if data.schema else "pixels an image"
        raise ConfigError(
            f"layers {text(layers)}: {data.name} has {ends[0]} {each} and {ends[1]} classes, so "
            f"the first and the last must be these: {text(fitting)}"
        )
    held_out = settings.validation
    if "validation" not in asked_for:
        held_out = min(held_out, used // 6)
    return replace(
        settings, layers=fitting, validation=held_out, split=kind_of(settings.split, data)
    )


def schedule_of(settings: Settings, examples: int) -> Schedule:
    """Schedule of the settings for so many training examples."""
    batches = -(-examples // (settings.batch_size or examples))
    warm_up = round(settings.warm_up * batches)
    make = (SCHEDULES if settings.schedule in SCHEDULES else QUIRK_SCHEDULES)[settings.schedule]
    schedule = make(settings.learning_rate, settings.epochs * batches - warm_up)
    if not warm_up:
        return schedule
    return WarmUp(settings.learning_rate, then=schedule, warm_up=warm_up)

"""Recipes: the five articles and our own, one frozen value each, and how one is run.

The command line, the README and the tests all read them here. A recipe, a TOML file and single
settings can be combined; the later wins. `prepare` turns settings and data into a Job, `run`
trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.data.augment import Distortion
from chainrule.data.dataset import Dataset
from chainrule.losses import LOSSES, LossFunction
from chainrule.network import Network
from chainrule.optimizers import OPTIMIZERS, Optimizer
from chainrule.progress import Progress
from chainrule.quirks import QUIRK_LOSSES, QUIRK_SCHEDULES, ScalarBiasGradient, draw
from chainrule.schedules import SCHEDULES, Schedule, WarmUp
from chainrule.settings import ConfigError, Settings, checked, read_toml, text
from chainrule.tables import Table
from chainrule.training import Epoch, Pair, never, objection, train

ARTICLE = Settings(optimizer="sgd", shuffle=False, dtype="float64", batch_size=0)
"""What the five articles share: plain gradient descent in float64, in the order of the file."""

RECIPES: Table[Settings] = Table(
    "recipe",
    {
        # Chosen on the last 10,000 training images, docs/journal.md, 2026-11-22.
        "fast": Settings(
            layers=(784, 256, 128, 10),
            label_smoothing=0.1,
            learning_rate=6e-3,
            schedule="one-cycle",
            batch_size=512,
            epochs=8,
            validation=5000,
        ),
        # 98 % as soon as possible, docs/journal.md.
        "sprint": Settings(
            layers=(784, 192, 10),
            label_smoothing=0.05,
            learning_rate=1e-2,
            schedule="one-cycle",
            batch_size=256,
            epochs=4,
        ),
        "sigmoid-128-64": replace(
            ARTICLE,
            layers=(784, 128, 64, 10),
            activation=("sigmoid",),
            loss="sigmoid-cross-entropy",
            learning_rate=0.1,
            batch_size=10,
            epochs=51,
            pixel_divisor=1,
            draw="standard-normal",
            seed=95,
        ),
        "tanh-16-16": replace(
            ARTICLE,
            layers=(784, 16, 16, 10),
            activation=("tanh",),
            loss="global-maximum-softmax",
            learning_rate=0.5,
            schedule="tenth-after-75",
            epochs=150,
            draw="tenth-normal",
            seed=2,
        ),
        "relu-45": replace(
            ARTICLE,
            layers=(784, 45, 10),
            learning_rate=0.0075,
            epochs=2000,
            examples=5000,
            pixel_divisor=256,
            draw="tenth-normal",
            seed=2,
        ),
        "sigmoid-72-36": replace(
            ARTICLE,
            layers=(784, 72, 36, 10),
            activation=("sigmoid",),
            loss="unshifted-softmax",
            learning_rate=1.0,
            epochs=500,
            examples=10_000,
            pixel_divisor=1,
            draw="half-uniform",
            scalar_bias_gradient=True,
        ),
        "relu-50-50-50": replace(
            ARTICLE,
            layers=(784, 50, 50, 50, 10),
            loss="unshifted-softmax",
            learning_rate=0.005,
            epochs=1000,
            draw="he-normal",
        ),
    },
)


DRAWING = ("batch_norm", "dropout", "input_dropout", "noise", "input_noise")
"""Settings of a step that needs a generator."""


@dataclass(frozen=True)
class Job:
    """A network, the data it will see, and all that training takes."""

    settings: Settings
    network: Network
    train: Pair
    validation: Pair | None
    test: Pair
    loss: LossFunction
    optimizer: Optimizer
    schedule: Schedule
    order: np.random.Generator | None
    """Draws the order of each epoch, and whatever else a step draws."""
    shape: tuple[int, int]
    """Height and width of the images."""


def combine(
    recipe: str = "", *, file: Path | None = None, flags: Mapping[str, Any] | None = None
) -> tuple[Settings, frozenset[str]]:
    """(the settings, the names of those asked for): flags over file over recipe.

    The recipe defaults to `fast`; to plain Settings where a file or a list of layers says
    otherwise. Raises ConfigError for a setting that does not exist or breaks its rule.
    """
    given = read_toml(file) if file else {}
    given.update({name: value for name, value in (flags or {}).items() if value is not None})
    if not recipe and not file and "layers" not in given:
        recipe = "fast"
    if recipe and recipe not in RECIPES:
        raise ConfigError(f"unknown recipe {recipe!r}: choose one of {', '.join(RECIPES)}")
    settings = replace(
        RECIPES[recipe] if recipe else Settings(),
        **{name: checked(name, value) for name, value in given.items()},
    )
    if len(settings.layers) < 2:
        raise ConfigError(f"layers {text(settings.layers)}: give at least inputs and classes")
    hidden = len(settings.layers) - 2
    if len(settings.activation) not in (1, hidden):
        raise ConfigError(
            f"{len(settings.activation)} activations for {hidden} hidden layers: "
            "give one for all, or one for each"
        )
    return settings, frozenset(given)


def prepare(settings: Settings, data: Dataset, *, asked_for: frozenset[str] = frozenset()) -> Job:
    """The job that settings and data make together.

    A recipe's first and last layer follow the data, and it holds out a seventh of the examples at
    most; what was asked for must fit as it stands. Raises ConfigError where it does not.
    """
    settings = _fitted(settings, data, asked_for)
    images, labels = data.train
    if settings.examples:
        images, labels = images[: settings.examples], labels[: settings.examples]
    if settings.validation >= len(images):
        raise ConfigError(
            f"validation {settings.validation}: there are {len(images)} training examples, "
            "hold out fewer"
        )
    drawing = distortion_of(settings) or any(getattr(settings, name) for name in DRAWING)
    if drawing and not settings.shuffle:
        raise ConfigError(
            "shuffle = false: dropout, noise, distortion and batch normalisation draw from the "
            "generator of the order; leave one or the other"
        )
    end = len(images) - settings.validation
    inputs = pixels(images, settings)
    # Streams of their own: another order, say, must not change the first weights.
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
        train=(inputs[:end], labels[:end]),
        validation=(inputs[end:], labels[end:]) if settings.validation else None,
        test=(pixels(data.test.images, settings), data.test.labels),
        loss=LOSSES[settings.loss].function
        if settings.loss in LOSSES
        else QUIRK_LOSSES[settings.loss],
        optimizer=optimizer,
        schedule=_schedule(settings, end),
        order=order if settings.shuffle else None,
        shape=data.shape,
    )


def run(
    job: Job, *, stop: Callable[[], bool] = never, progress: Progress | None = None
) -> Iterator[Epoch]:
    """Trains the job's network; yields an Epoch after each pass."""
    settings = job.settings
    return train(
        job.network,
        job.train,
        rng=job.order,
        epochs=settings.epochs,
        batch_size=settings.batch_size or len(job.train[1]),
        loss=settings.loss if settings.compiled else job.loss,
        optimizer=job.optimizer,
        learning_rate=job.schedule,
        validation=job.validation,
        patience=settings.patience or None,
        l2=settings.l2,
        label_smoothing=settings.label_smoothing,
        max_norm=settings.max_norm or None,
        max_weight_norm=settings.max_weight_norm or None,
        average=settings.average,
        distortion=distortion_of(settings) or None,
        shape=job.shape,
        threads=settings.threads or None,
        compiled=settings.compiled,
        stop=stop,
        progress=progress,
    )


def distortion_of(settings: Settings) -> Distortion:
    """How the settings distort images; false if not at all."""
    return Distortion(**{field.name: getattr(settings, field.name) for field in fields(Distortion)})


def pixels(images: Array, settings: Settings) -> Array:
    """The network's inputs: the images' bytes over `pixel_divisor`, in the network's precision."""
    if settings.pixel_divisor == 255 and images.dtype == settings.dtype:
        return images
    inputs: Array = np.rint(images.astype(np.float64) * 255) / settings.pixel_divisor
    return inputs.astype(settings.dtype, copy=False)


def _fitted(settings: Settings, data: Dataset, asked_for: frozenset[str]) -> Settings:
    layers, count = settings.layers, len(data.train.labels)
    ends = data.train.images.shape[1], len(data.classes)
    fitting = (ends[0], *layers[1:-1], ends[1])
    if "layers" in asked_for and layers != fitting:
        raise ConfigError(
            f"layers {text(layers)}: {data.name} has {ends[0]} pixels an image and {ends[1]} "
            f"classes, so the first and the last must be these: {text(fitting)}"
        )
    held_out = settings.validation
    if "validation" not in asked_for:
        held_out = min(held_out, count // 7)
    return replace(settings, layers=fitting, validation=held_out)


def _schedule(settings: Settings, examples: int) -> Schedule:
    batches = -(-examples // (settings.batch_size or examples))
    warm_up = round(settings.warm_up * batches)
    make = (SCHEDULES if settings.schedule in SCHEDULES else QUIRK_SCHEDULES)[settings.schedule]
    schedule = make(settings.learning_rate, settings.epochs * batches - warm_up)
    if not warm_up:
        return schedule
    return WarmUp(settings.learning_rate, then=schedule, warm_up=warm_up)

"""Recipes: the five articles and our own, one frozen value each.

The command line, the README and the tests all read them here. A recipe, a TOML file and single
settings can be combined; the later wins. `job` turns the result into a training run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.tables import Table, remedy
from chainrule.experiments.settings import Settings, checked, read_toml, text

ARTICLE = Settings(optimizer="sgd", shuffle=False, dtype="float64", batch_size=0)
"""Settings common to the five articles: plain gradient descent in float64, in file order."""

DISTORTED = Settings(
    batch_norm=True,
    average=0.999,
    label_smoothing=0.1,
    optimizer="adamw",
    weight_decay=0.05,
    learning_rate=4e-3,
    schedule="one-cycle",
    batch_size=512,
    rotation=12.0,
    scaling=0.12,
    shear=10.0,
    shift=1.0,
    elastic=36.0,
)
"""Settings common to our recipes that distort each image differently each time it is seen."""

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
        # The three below were chosen on the last 10,000 training images too, docs/journal.md.
        "plain": Settings(
            layers=(784, 800, 400, 200, 10),
            activation=("gelu",),
            batch_norm=True,
            input_noise=0.3,
            noise=0.15,
            average=0.999,
            label_smoothing=0.1,
            optimizer="adamw",
            weight_decay=0.05,
            learning_rate=5e-3,
            schedule="one-cycle",
            batch_size=512,
            epochs=44,
        ),
        "accurate": replace(
            DISTORTED,
            layers=(784, 1024, 512, 256, 10),
            activation=("gelu",),
            epochs=40,
        ),
        "record": replace(
            DISTORTED,
            layers=(784, 2048, 1024, 512, 10),
            activation=("gelu",),
            epochs=80,
        ),
        # 99 % on validation as soon as possible.
        "t99": replace(
            DISTORTED,
            layers=(784, 768, 384, 10),
            learning_rate=6e-3,
            average=0.99,
            rotation=8.0,
            scaling=0.08,
            shear=5.0,
            shift=0.5,
            elastic=20.0,
            epochs=8,
            validation=10_000,
        ),
        # Rows of any table; chosen on the validation parts of nine sets, docs/tables.md.
        "table": Settings(
            layers=(784, 128, 128, 10),
            dropout=0.4,
            optimizer="adamw",
            weight_decay=0.1,
            learning_rate=1e-2,
            schedule="one-cycle",
            batch_size=32,
            epochs=100,
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


def combine(
    recipe: str = "",
    *,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    resumed: bool = False,
    usual: str = "fast",
) -> tuple[Settings, frozenset[str]]:
    """(settings, names of those asked for): flags override the file, which overrides the recipe.

    The recipe defaults to `usual`, or to plain Settings if a file or a list of layers is given.
    `resumed`: the file is of a run to resume; one of version 0.1.0 may have both an initializer and
    a draw, which won. Raises ConfigError for a setting that does not exist or breaks its rule.
    """
    given = read_toml(file) if file else {}
    for name, value in given.items():
        try:
            checked(name, value)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
    given.update({name: value for name, value in (flags or {}).items() if value is not None})
    if not recipe and not file and "layers" not in given:
        recipe = usual
    if recipe and recipe not in RECIPES:
        raise ConfigError(f"unknown recipe {recipe!r}: {remedy(recipe, RECIPES)}")
    if given.get("initializer") and not given.get("draw"):
        given["draw"] = ""  # the recipe's own way to draw the first weights gives way
    settings = replace(
        RECIPES[recipe] if recipe else Settings(),
        **{name: checked(name, value) for name, value in given.items()},
    )
    if settings.initializer and settings.draw and not resumed:
        raise ConfigError(
            f"initializer {settings.initializer} and draw {settings.draw} both say how the first "
            "weights are drawn: leave out one"
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

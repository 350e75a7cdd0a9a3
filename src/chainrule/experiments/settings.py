"""Settings of a training run: everything that determines its result, checked, as TOML."""

from __future__ import annotations

import errno
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_type_hints

from chainrule.core.errors import ConfigError, NewerFormatError, OddFileError
from chainrule.core.files import read_own
from chainrule.core.formats import refuse_newer
from chainrule.core.tables import remedy
from chainrule.training.options import ALL_CORES, Choices, Options, losses, rules, setting

STRATIFIED, IN_ORDER = "stratified", "in-order"


def activations() -> Iterable[str]:
    """The names of the activations."""
    from chainrule.nn.activations import ACTIVATIONS

    return ACTIVATIONS


def initializers() -> Iterable[str]:
    """The names of the initializers; empty: the activation's default."""
    from chainrule.nn.initializers import INITIALIZERS

    return ("", *INITIALIZERS)


def every_loss() -> Iterable[str]:
    """The names of the losses, including the articles' own."""
    from chainrule.experiments.quirks import QUIRK_LOSSES

    return (*losses(), *QUIRK_LOSSES)


def schedules() -> Iterable[str]:
    """The names of the schedules, including the articles' own."""
    from chainrule.experiments.quirks import QUIRK_SCHEDULES
    from chainrule.optim.schedules import SCHEDULES

    return (*SCHEDULES, *QUIRK_SCHEDULES)


def splits() -> Iterable[str]:
    """The ways to choose examples; empty: by the data."""
    return ("", STRATIFIED, IN_ORDER)


def draws() -> Iterable[str]:
    """The names of the articles' weight draws; empty: use an initializer."""
    from chainrule.experiments.quirks import DRAWS

    return ("", *DRAWS)


def _more_choices(name: str, choices: Choices) -> Any:
    """A field of Options, with more choices."""
    rule = replace(rules(Options)[name], choices=choices)
    return field(default=getattr(Options, name), metadata={"rule": rule})


@dataclass(frozen=True)
class Settings(Options):
    """Settings of a run: everything that determines its result, except the data themselves."""

    layers: tuple[int, ...] = setting(
        (784, 128, 10), "Inputs, units of each hidden layer, classes, such as 784,128,64,10.",
        group="network", low=1,
    )  # fmt: skip
    activation: tuple[str, ...] = setting(
        ("relu",), "Activation of the hidden layers; one for all, or one for each.",
        group="network", choices=activations,
    )  # fmt: skip
    initializer: str = setting(
        "", "Distribution of the first weights; by default the one that suits the activation.",
        group="network", choices=initializers,
    )  # fmt: skip
    loss: str = _more_choices("loss", every_loss)
    batch_norm: bool = setting(False, "Batch normalisation of the hidden layers.", group="network")
    dtype: str = setting(
        "float32", "Precision.", group="network", choices=lambda: ("float32", "float64")
    )
    draw: str = setting(
        "", "An article's own draw of the first weights, instead of an initializer.",
        group="network", choices=draws,
    )  # fmt: skip
    schedule: str = setting(
        "constant", "How the learning rate changes.", group="optimizer", choices=schedules
    )
    warm_up: float = setting(
        0.0, "Epochs over which the learning rate rises to its value (0: off).", group="optimizer"
    )
    scalar_bias_gradient: bool = setting(
        False, "Article 4's mistake: one gradient for all biases of a layer.", group="optimizer"
    )
    weight_decay: float = setting(
        0.0, "Decay of the weights, decoupled from the gradient (0: the optimizer's own, 0.01 for "
        "adamw).", group="regularisation",
    )  # fmt: skip
    dropout: float = setting(
        0.0, "Share of the hidden units that a step leaves out (0: off).",
        group="regularisation", high=0.99,
    )  # fmt: skip
    input_dropout: float = setting(
        0.0, "Share of the inputs that a step leaves out (0: off).",
        group="regularisation", high=0.99,
    )  # fmt: skip
    noise: float = setting(
        0.0, "Standard deviation of Gaussian noise on the hidden layers' outputs (0: off).",
        group="regularisation",
    )  # fmt: skip
    input_noise: float = setting(
        0.0, "Standard deviation of Gaussian noise on the inputs (0: off).",
        group="regularisation",
    )  # fmt: skip
    rotation: float = setting(
        0.0, "Largest rotation of an image, degrees (0: off).", group="distortion", high=180
    )
    scaling: float = setting(
        0.0, "Largest change of height and of width: each is divided by 1 +- this (0: off).",
        group="distortion", high=0.9,
    )  # fmt: skip
    shear: float = setting(
        0.0, "Largest lean of upright strokes, degrees (0: off).", group="distortion", high=80
    )
    shift: float = setting(
        0.0, "Largest shift along each axis, pixels (0: off).", group="distortion", high=1000
    )
    elastic: float = setting(
        0.0, "Strength of the elastic distortion, Simard's alpha, such as 36 (0: off).",
        group="distortion", high=10_000,
    )  # fmt: skip
    elastic_sigma: float = setting(
        5.0, "Blur of the elastic field, pixels.", group="distortion", low=0.5, high=100
    )
    validation: int = setting(
        0, "Hold out this many of the training examples, and measure on them after each epoch "
        "(0: off).", group="data",
    )  # fmt: skip
    examples: int = setting(0, "Use this many of the training examples (0: all).", group="data")
    split: str = setting(
        "", "How those are chosen: by class, with the seed, or in the file's order, the first, of "
        "them the last held out; by default in-order for MNIST and other published data, which "
        "are in mixed order, stratified for all others.", group="data", choices=splits,
    )  # fmt: skip
    shuffle: bool = setting(
        True, "A new order of the examples in each epoch, or that of the file.", group="data"
    )
    pixel_divisor: int = setting(
        255, "The bytes of an image are divided by this.", group="data", low=1, high=65_536
    )
    seed: int = setting(0, "Seed of everything random.", group="run")


RULES = rules(Settings)
"""The rule of each setting, in the order of a settings file."""
TYPES = get_type_hints(Settings)
BEFORE: dict[str, Any] = {"split": IN_ORDER}
"""What settings were before they existed: for runs of earlier versions, which lack them."""
LARGEST_CONFIG = 8192
"""Bytes of a TOML file: all settings take 700, and tomllib's time grows with the square."""


RUN_FORMAT = 1
"""Format of a run's folder, in its config.toml: of all its files that are text."""


def check_length(path: Path, content: bytes) -> None:
    """Raises ConfigError for a TOML file that would not be read."""
    if len(content) > LARGEST_CONFIG:
        raise _too_long(path)


def _too_long(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: longer than {LARGEST_CONFIG:,} bytes; shorten it: names of classes "
        "(sub-folders, --classes) and paths take most"
    )


def read_tables(path: Path, *, follow_links: bool = False) -> dict[str, Any]:
    """Parses a TOML file of at most LARGEST_CONFIG bytes; ConfigError if it is not one.

    The same for the config.toml of a run that a later version wrote, in another format. A link is
    followed only to a file that the user named.
    """
    try:
        raw = read_own(path, LARGEST_CONFIG, follow_links=follow_links)
    except OddFileError as error:
        if error.errno == errno.EFBIG:
            raise _too_long(path) from None
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte.
        what = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read ({what}); check the path") from None
    try:
        tables = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError; so is the error for a number of too many digits.
        raise ConfigError(f"{path}: not TOML: {error}") from None
    run = tables.get("run")
    try:
        refuse_newer(path, run.get("format") if isinstance(run, dict) else None, RUN_FORMAT)
    except NewerFormatError as error:
        raise ConfigError(str(error)) from None
    return tables


def read_toml(path: Path) -> dict[str, Any]:
    """The settings in a TOML file: at its top, or in a table [settings] as a run writes it.

    Those that a run of an earlier version lacks are what they were then.
    """
    content = read_tables(path, follow_links=True)
    settings = content.get("settings", content)
    if not isinstance(settings, dict):
        kind = type(settings).__name__  # not its repr: nested lists may be too deep for that
        raise ConfigError(f"{path}: settings is of type {kind}; [settings] is a table")
    tables = [value for value in settings.values() if isinstance(value, dict)]
    if any(isinstance(value, dict) for table in tables for value in table.values()):
        raise ConfigError(f"{path}: tables in tables; a setting is a number, a word or a list")
    written_by_a_run = "environment" in content
    return as_today((BEFORE if written_by_a_run else {}) | settings)


def as_today(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the values that mean today what an earlier version wrote."""
    all_cores = {"threads": ALL_CORES} if settings.get("threads") == 0 else {}
    return dict(settings) | all_cores


def as_toml(settings: Settings) -> str:
    """The settings as a TOML table that `read_toml` reads back to the same value."""
    lines = [f"{name} = {text(getattr(settings, name))}" for name in RULES]
    return "\n".join(["[settings]", *lines, ""])


def checked(name: str, value: Any) -> Any:
    """The value of one setting, converted to its type; ConfigError if it breaks the rule."""
    if name not in RULES:
        raise ConfigError(f"unknown setting {name!r}: {remedy(name, RULES)}")
    kind = TYPES[name]
    if kind in (tuple[int, ...], tuple[str, ...]):
        if not isinstance(value, int | str | list | tuple):
            raise ConfigError(f"{name} = {value!r}: give a list, such as [784, 128, 10]")
        values = (value,) if isinstance(value, (int, str)) else tuple(value)
        item = int if kind == tuple[int, ...] else str
        return tuple(_single(name, one, item) for one in values)
    return _single(name, value, kind)


def _single(name: str, value: Any, kind: Any) -> Any:
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ConfigError(f"{name}: a number of {len(str(value))} digits; give one below 2**63")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{name} = {value!r}: give a value of type {kind.__name__}")
    if kind is not bool:
        RULES[name].check(name, value)
    return value


def text(value: Any) -> str:
    """The value of a setting as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(text, value))}]"
    if not isinstance(value, str):
        return repr(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{value!r}: not UTF-8, which settings files are; rename it") from None
    # JSON's strings are TOML's too, but for this one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

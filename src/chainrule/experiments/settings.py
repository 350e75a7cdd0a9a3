"""Settings: everything that decides the result of a training run, checked, to and from TOML."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, get_type_hints

from chainrule.core.errors import ConfigError
from chainrule.experiments.quirks import DRAWS, QUIRK_LOSSES, QUIRK_SCHEDULES
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.losses import LOSSES
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.optim.schedules import SCHEDULES


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result, but the data themselves."""

    layers: tuple[int, ...] = (784, 128, 10)
    """Inputs, units of each hidden layer, classes."""
    activation: tuple[str, ...] = ("relu",)
    """One for all hidden layers, or one for each."""
    initializer: str = ""
    """Empty: the one that suits the activation."""
    loss: str = "softmax-cross-entropy"
    label_smoothing: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warm_up: float = 0.0
    """Epochs over which the learning rate rises to its value."""
    batch_size: int = 128
    """0: all examples at once."""
    epochs: int = 5
    l2: float = 0.0
    weight_decay: float = 0.0
    """Decoupled from the gradient; 0: the optimizer's own, 0.01 for adamw, else none."""
    max_norm: float = 0.0
    """Longest gradient; 0: any."""
    max_weight_norm: float = 0.0
    """Longest vector of one unit's weights; 0: any."""
    batch_norm: bool = False
    """The hidden layers normalise their sums over the batch."""
    dropout: float = 0.0
    """The share of the hidden units that a step leaves out."""
    input_dropout: float = 0.0
    """The share of the inputs that a step leaves out."""
    noise: float = 0.0
    """Standard deviation of the noise that a step adds to what hidden layers pass on."""
    input_noise: float = 0.0
    """Standard deviation of the noise that a step adds to the inputs."""
    average: float = 0.0
    """Decay, a step, of a moving average of the weights, which is what is kept; 0: none."""
    rotation: float = 0.0
    """Each image is turned by up to so many degrees, anew each time it is seen,"""
    scaling: float = 0.0
    """its height and its width are divided by 1 +- this,"""
    shear: float = 0.0
    """its upright strokes lean by up to so many degrees,"""
    shift: float = 0.0
    """it is moved by up to so many pixels along each axis,"""
    elastic: float = 0.0
    """and bent by a smooth random field; Simard's alpha, see data/augment.py"""
    elastic_sigma: float = 5.0
    """with this blur, in pixels."""
    validation: int = 0
    """The last so many training examples are held out and measured after each epoch."""
    patience: int = 0
    """Stop after more than so many epochs without a lower validation loss; 0: never."""
    examples: int = 0
    """Train on the first so many examples; 0: all."""
    shuffle: bool = True
    threads: int = 0
    """Cores to use at most; 0: all. Another number rounds differently."""
    dtype: str = "float32"
    compiled: bool = False
    """In machine code, by numba: Adam's update, or plain SGD's whole steps on small batches."""
    seed: int = 0
    pixel_divisor: int = 255
    """Inputs are the bytes of the image divided by this."""
    draw: str = ""
    """An article's own way to draw the first weights, instead of an initializer."""
    scalar_bias_gradient: bool = False
    """Article 4's mistake."""


CHOICES: dict[str, tuple[str, ...]] = {
    "activation": tuple(ACTIVATIONS),
    "initializer": ("", *INITIALIZERS),
    "loss": (*LOSSES, *QUIRK_LOSSES),
    "optimizer": tuple(OPTIMIZERS),
    "schedule": (*SCHEDULES, *QUIRK_SCHEDULES),
    "dtype": ("float32", "float64"),
    "draw": ("", *DRAWS),
}
"""Settings that are words, and the words they may be."""

RANGES: dict[str, tuple[float, float]] = {
    "label_smoothing": (0, 0.999),
    "dropout": (0, 0.99),
    "input_dropout": (0, 0.99),
    "average": (0, 0.999999),
    "rotation": (0, 180),
    "scaling": (0, 0.9),
    "shear": (0, 80),
    "shift": (0, 1000),
    "elastic": (0, 10_000),
    "elastic_sigma": (0.5, 100),
    "learning_rate": (1e-12, 1e12),
    "pixel_divisor": (1, 65_536),
    "epochs": (1, 1e9),
}
"""Settings whose range is not simply 0 or more."""

TYPES = get_type_hints(Settings)
LARGEST_CONFIG = 8192
"""Bytes of a TOML file: all settings take 700, and tomllib's time grows with the square."""


def read_tables(path: Path) -> dict[str, Any]:
    """Everything in a TOML file of at most LARGEST_CONFIG bytes; ConfigError if it is none."""
    try:
        ordinary = path.is_file() or not path.exists()
        raw = b""
        if ordinary:  # a pipe would be waited for
            with path.open("rb") as file:
                raw = file.read(LARGEST_CONFIG + 1)
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte.
        what = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read ({what}); check the path") from None
    if not ordinary:
        raise ConfigError(f"{path}: not a file; give the path of a TOML file")
    if len(raw) > LARGEST_CONFIG:
        raise ConfigError(f"{path}: longer than {LARGEST_CONFIG:,} bytes; shorten it")
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError; so is a number of too many digits.
        raise ConfigError(f"{path}: not TOML: {error}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """The settings in a TOML file: at its top, or in a table [settings] as a run writes it."""
    content = read_tables(path)
    settings = content.get("settings", content)
    if not isinstance(settings, dict):
        kind = type(settings).__name__  # not its text: lists in lists may be too deep for one
        raise ConfigError(f"{path}: settings is of type {kind}; [settings] is a table")
    tables = [value for value in settings.values() if isinstance(value, dict)]
    if any(isinstance(value, dict) for table in tables for value in table.values()):
        raise ConfigError(f"{path}: tables in tables; a setting is a number, a word or a list")
    return dict(settings)


def as_toml(settings: Settings) -> str:
    """The settings as a TOML table that `read_toml` reads back to the same value."""
    lines = [f"{name} = {text(value)}" for name, value in asdict(settings).items()]
    return "\n".join(["[settings]", *lines, ""])


def checked(name: str, value: Any) -> Any:
    """The value of one setting in its own type; ConfigError if it breaks the setting's rule."""
    if name not in TYPES:
        raise ConfigError(
            f"unknown setting {name!r}: choose among {', '.join(f.name for f in fields(Settings))}"
        )
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
    if kind is str and value not in CHOICES[name]:
        choices = ", ".join(filter(None, CHOICES[name]))
        raise ConfigError(f"{name} = {value!r}: choose one of {choices}")
    low, high = RANGES.get(name, (1 if name == "layers" else 0, float("inf")))
    if kind in (int, float) and not (low <= float(value) <= high and isfinite(value)):
        raise ConfigError(f"{name} = {value}: give a number from {low:g} to {high:g}")
    return value


def text(value: Any) -> str:
    """The value of a setting as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(text, value))}]"
    # JSON's strings are TOML's too.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)

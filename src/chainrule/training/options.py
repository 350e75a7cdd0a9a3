"""Training options: the default, the rule and the help text of each, defined once.

`train` takes them as keywords with these defaults. `experiments.settings.Settings` adds those of
the network, the data and the distortion; settings files, recipes and command-line options are all
checked by these rules. 0 means off.

    >>> Options(label_smoothing=1.5)
    Traceback (most recent call last):
        ...
    chainrule.core.errors.ConfigError: label_smoothing = 1.5: give a number from 0 to 0.999
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import inf, isfinite
from numbers import Real
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.tables import remedy

GROUPS = ("data", "network", "optimizer", "regularisation", "distortion", "run")
"""The groups of settings, in the order of a settings file and of `--help`."""

REPLACEABLE = ("loss", "optimizer", "learning_rate", "l2")
"""Options for which `train` also takes a function, an Optimizer or a Schedule."""

Number = int | float
Choices = Callable[[], Iterable[str]]
"""The words allowed for a setting; a function, because the tables that hold them load NumPy."""


@dataclass(frozen=True)
class Rule:
    """Rule of one setting: its valid values and its help text."""

    help: str
    group: str
    low: Number = 0
    high: Number = inf
    choices: Choices | None = None

    def check(self, name: str, value: Any) -> None:
        """Raises ConfigError for a number out of range or a word not among the choices."""
        if self.choices:
            choices = [*self.choices()]
            if value not in choices:
                raise ConfigError(f"{name} = {value!r}: {remedy(value, choices)}")
        elif not (
            isinstance(value, Real) and self.low <= float(value) <= self.high and isfinite(value)
        ):
            shown = value if isinstance(value, Real) else repr(value)
            raise ConfigError(f"{name} = {shown}: give a number from {self.low:g} to {self.high:g}")


def setting(
    default: Any,
    help: str,
    *,
    group: str,
    low: Number = 0,
    high: Number = inf,
    choices: Choices | None = None,
) -> Any:
    """Dataclass field of a setting: its default, and its Rule as metadata."""
    return field(default=default, metadata={"rule": Rule(help, group, low, high, choices)})


ALL_CORES = 1024
"""Value of `threads` that stands for as many as the machine has."""


def losses() -> Iterable[str]:
    """The names of the losses."""
    from chainrule.nn.losses import LOSSES

    return LOSSES


def optimizers() -> Iterable[str]:
    """The names of the optimizers."""
    from chainrule.optim.optimizers import OPTIMIZERS

    return OPTIMIZERS


@dataclass(frozen=True)
class Options:
    """Training options given as numbers or names. Numbers are checked on construction."""

    loss: str = setting(
        "softmax-cross-entropy", "Loss to minimise.", group="network", choices=losses
    )
    optimizer: str = setting("adam", "Update rule.", group="optimizer", choices=optimizers)
    learning_rate: float = setting(
        1e-3, "Step size; the highest, if a schedule changes it.", group="optimizer",
        low=1e-12, high=1e12,
    )  # fmt: skip
    batch_size: int = setting(128, "Examples a step (0: all of them at once).", group="optimizer")
    epochs: int = setting(5, "Passes over the training set.", group="optimizer", low=1, high=1e9)
    max_norm: float = setting(0.0, "Clip the gradient to this L2 norm (0: off).", group="optimizer")
    label_smoothing: float = setting(
        0.0, "Share of each label's weight that is spread over all classes.",
        group="regularisation", high=0.999,
    )  # fmt: skip
    l2: float = setting(
        0.0, "L2 penalty: l2 / 2 times the sum of the squared weights, added to the loss.",
        group="regularisation",
    )  # fmt: skip
    max_weight_norm: float = setting(
        0.0, "Clip each unit's weights to this L2 norm after a step (0: off).",
        group="regularisation",
    )  # fmt: skip
    average: float = setting(
        0.0, "Decay, a step, of an exponential moving average of the weights, such as 0.999; "
        "the average is kept (0: off).", group="regularisation", high=0.999999,
    )  # fmt: skip
    patience: int = setting(
        0, "Early stopping: epochs without a lower validation loss before training ends and the "
        "best epoch's weights are kept (0: off).", group="regularisation",
    )  # fmt: skip
    threads: int = setting(
        ALL_CORES, "Cores to use at most (1024: all). The number of cores changes the last bits.",
        group="run", low=1, high=ALL_CORES,
    )  # fmt: skip
    compiled: bool = setting(
        False, "Machine code for Adam's update, or for whole SGD steps; needs numba.", group="run"
    )

    @classmethod
    def among(cls, keywords: Mapping[str, Any]) -> Options:
        """The options among `train`'s keywords, except where functions or objects replace them.

        Raises ConfigError for a number out of range.
        """
        own = {each.name for each in fields(cls)} - {
            name for name in REPLACEABLE if not isinstance(keywords[name], (str, Real))
        }
        return cls(**{name: value for name, value in keywords.items() if name in own})

    def __post_init__(self) -> None:
        """Checks numbers; names are looked up in their tables when they are used."""
        for name, rule in rules(type(self)).items():
            if not (rule.choices or isinstance(getattr(self, name), tuple)):
                rule.check(name, getattr(self, name))


def rules(options: type[Options]) -> dict[str, Rule]:
    """The rule of each field, in the order of the groups."""
    by_name: dict[str, Rule] = {each.name: each.metadata["rule"] for each in fields(options)}
    return dict(sorted(by_name.items(), key=lambda item: GROUPS.index(item[1].group)))

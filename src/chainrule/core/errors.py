"""Exceptions for users' mistakes: each message names the value, the rule and the remedy."""

from __future__ import annotations

from functools import partial
from typing import Any


class DataError(ValueError):
    """Data that cannot be used; the message is one sentence for the person who supplied it."""


class OddFileError(OSError):
    """Something else than an ordinary file of ours where one belongs: see core/files.read_own."""


class SaveError(OSError):
    """A run that could not be saved, several times in a row."""


class FolderInUseError(RuntimeError):
    """Another process writes to the folder."""


class ModelFileError(ValueError):
    """A model file or checkpoint that cannot be read or trusted."""


class DamagedFileError(ModelFileError):
    """A file of ours that is no longer whole: cut, changed, or written over with something else."""


class NewerFormatError(ModelFileError):
    """A whole file of a format that only later versions read: nothing may be written over it."""


class ConfigError(ValueError):
    """A setting that does not exist, does not fit its rule, or does not fit the data."""


class DivergenceError(ArithmeticError):
    """A loss that is no longer finite; the network has been reset to the last good weights."""

    def __init__(self, message: str, *, step: int, layer: int | None, learning_rate: float) -> None:
        super().__init__(message)
        self.step = step
        self.layer = layer
        """The first layer, from 1, whose outputs are not finite; None: the loss alone."""
        self.learning_rate = learning_rate
        """A learning rate to try."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own would call it with the message alone, which raises TypeError.
        made = partial(
            type(self), step=self.step, layer=self.layer, learning_rate=self.learning_rate
        )
        return made, self.args, vars(self)

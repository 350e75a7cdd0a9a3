"""Errors of a user's making: each message names the value, the rule and the remedy."""

from __future__ import annotations


class DataError(ValueError):
    """Data that cannot be used; its text is one sentence for the person who brought the data."""


class SaveError(OSError):
    """A run that could not be saved, again and again."""


class FolderInUseError(RuntimeError):
    """Another process writes to the folder."""


class ModelFileError(ValueError):
    """A model file or checkpoint that cannot be read, or must not be believed."""


class ConfigError(ValueError):
    """A setting that does not exist, does not fit its rule, or does not fit the data."""


class DivergenceError(ArithmeticError):
    """The loss stopped being a finite number; the network holds the last good weights again."""

    def __init__(self, message: str, *, step: int, layer: int | None, learning_rate: float) -> None:
        super().__init__(message)
        self.step = step
        self.layer = layer
        """The first layer, counted from 1, whose outputs are not finite; None: only the loss."""
        self.learning_rate = learning_rate
        """A learning rate to try."""

"""The checkpointer: saves a run after each epoch, now and then between, and when it ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from chainrule.core.errors import ConfigError, SaveError
from chainrule.training.checkpoint import Checkpoint, write_checkpoint
from chainrule.training.state import Progress
from chainrule.training.train import Epoch

FAILURES = 3
"""Saves in a row that may fail before training ends."""


@dataclass(frozen=True)
class Every:
    """The interval of saves within an epoch, in steps or in seconds."""

    steps: float = inf
    seconds: float = inf


def every(text: str) -> Every:
    """`20` steps or `30s` seconds; empty: after each epoch only. Raises ConfigError otherwise."""
    if not text:
        return Every()
    match = re.fullmatch(r"([0-9]{1,9})(s?)", text)
    if not match or not int(match[1]):
        raise ConfigError(
            f"--checkpoint-every {text}: give a number of steps, such as 20, or of seconds, 30s"
        )
    return Every(seconds=float(match[1])) if match[2] else Every(steps=float(match[1]))


@dataclass
class Checkpointer:
    """Training asks it before each step whether to stop; it saves when it is time to."""

    folder: Path
    every: Every
    settings: dict[str, Any]
    checksums: dict[str, str]
    numerics: dict[str, str]
    progress: Progress
    history: list[dict[str, Any]]
    interrupted: Callable[[], bool]
    say: Callable[[str], None]
    failures: int = 0
    saved_step: int = field(init=False)
    saved_at: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self.saved_step = self.progress.step

    def __call__(self) -> bool:
        """Saves if it is time; True if training shall stop, and then everything is saved."""
        stop = self.interrupted()
        since = self.progress.step - self.saved_step
        if since and (
            stop or since >= self.every.steps or monotonic() - self.saved_at >= self.every.seconds
        ):
            self.save()
        return stop

    def add(self, epoch: Epoch) -> None:
        """One more epoch is done."""
        self.history.append(asdict(epoch))
        self.save()

    def save(self) -> None:
        """Saves the run as it stands. A failure is told; SaveError after FAILURES in a row.

        Weights that are not finite are not worth it: the next step ends in an error.
        """
        if not np.isfinite(self.progress.arrays["parameters"]).all():
            return
        checkpoint = Checkpoint(
            self.progress, self.history, self.settings, self.checksums, self.numerics
        )
        self.saved_at = monotonic()
        try:
            write_checkpoint(self.folder, checkpoint)
        except OSError as error:
            self.failures += 1
            kept = f"the checkpoint of step {self.saved_step} is as it was"
            if self.failures == FAILURES:
                raise SaveError(
                    f"{FAILURES} checkpoints in a row could not be saved, the last: {error}; {kept}"
                ) from None
            self.say(f"warning: step {self.progress.step} not saved: {error}; {kept}")
        else:
            self.failures, self.saved_step = 0, self.progress.step

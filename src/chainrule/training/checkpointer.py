"""Checkpointer: saves a run after epochs, at intervals if asked to, and when it ends.

A checkpoint is flushed to the disk, which takes as long as many epochs of a small run. So one is
due after an epoch only when the last one's time is a small SHARE of the time since. What a kill or
a power cut can cost is one epoch, plus 1 / SHARE times the time of a save; with an interval, never
more than that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from chainrule.core.errors import ConfigError, ModelFileError, SaveError
from chainrule.training.checkpoint import Checkpoint, write_checkpoint
from chainrule.training.checkpoint_values import is_finite
from chainrule.training.state import Progress
from chainrule.training.train import Epoch

FAILURES = 3
"""Failed saves in a row after which training ends."""


SHARE = 0.05
"""Most of the time to spend on checkpoints after epochs."""


@dataclass(frozen=True)
class Every:
    """Longest interval between saves, also within an epoch, in steps or in seconds."""

    steps: float = inf
    seconds: float = inf


def every(text: str) -> Every:
    """Parses an interval: `20` steps, `30s` seconds, empty for none; else ConfigError."""
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
    """Saves a run when it is due; passed to training as `stop`, called before each step."""

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
    cost: float = 0.0
    """Seconds that the last save took."""

    def __post_init__(self) -> None:
        self.saved_step = self.progress.step

    def __call__(self) -> bool:
        """Saves if the interval asks for it; True if training is to stop, to be saved by `end`."""
        since = self.progress.step - self.saved_step
        late = monotonic() - self.saved_at >= self.every.seconds
        if since and (since >= self.every.steps or late):
            self.save()
        return self.interrupted()

    def add(self, epoch: Epoch) -> None:
        """Records a finished epoch, and saves if that is due."""
        self.history.append(asdict(epoch))
        if SHARE * (monotonic() - self.saved_at) >= self.cost:
            self.save()

    def end(self) -> None:
        """Saves what is not saved yet, however training ended."""
        if self.progress.step != self.saved_step:
            self.save()

    def save(self) -> None:
        """Saves the run as it is. Warns of a failure; SaveError after FAILURES in a row.

        Numbers whose sums are not finite are not saved: one of the next steps ends in an error.
        """
        if not all(map(is_finite, self.progress.arrays.values())):
            return
        checkpoint = Checkpoint(
            self.progress, self.history, self.settings, self.checksums, self.numerics
        )
        began = monotonic()
        try:
            write_checkpoint(self.folder, checkpoint)
        except (OSError, ModelFileError) as error:
            self.failures += 1
            kept = f"the checkpoint of step {self.saved_step} is as it was"
            if self.failures == FAILURES:
                raise SaveError(
                    f"{FAILURES} checkpoints in a row could not be saved, the last: {error}; {kept}"
                ) from None
            self.say(f"warning: step {self.progress.step} not saved: {error}; {kept}")
        else:
            self.failures, self.saved_step = 0, self.progress.step
        finally:
            self.saved_at = monotonic()
            self.cost = self.saved_at - began

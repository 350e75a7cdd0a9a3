"""Memory of a training run, computed before anything is allocated or claimed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from chainrule.core.errors import ConfigError
from chainrule.core.memory import in_words, most_memory
from chainrule.experiments.settings import Settings, text
from chainrule.training.microbatches import DRAWN_ROWS

COPIES = 2
"""Parameters and gradient; what the optimizer keeps comes on top."""


def check_memory(settings: Settings, examples: int) -> None:
    """Raises ConfigError for settings that need more memory than this process may have.

    What is counted is the least that training on so many `examples` needs, so nothing is refused
    that could be trained.
    """
    there = most_memory()
    network, batch = least_memory(settings, examples)
    if there is None or network + batch <= there:
        return
    layers = text(settings.layers)
    if network >= batch:
        raise ConfigError(
            f"layers {layers}: weights and gradient need {in_words(network)} at least, and "
            f"{in_words(there)} are there; use smaller layers"
        )
    raise ConfigError(
        f"batch_size {settings.batch_size or examples}: the activations of layers {layers} need "
        f"{in_words(batch)} at least, and {in_words(there)} are there; use smaller batches"
    )


def least_memory(settings: Settings, examples: int) -> tuple[int, int]:
    """(bytes of weights and gradient, bytes of a batch's activations) of a training step."""
    size = np.dtype(settings.dtype).itemsize
    layers = [int(width) for width in settings.layers]
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(layers))
    rows = min(settings.batch_size or examples, examples)
    if not settings.compiled:
        rows = min(rows, DRAWN_ROWS)
    return COPIES * (weights + sum(layers[1:])) * size, rows * sum(layers[1:]) * size

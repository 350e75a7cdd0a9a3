"""Random streams by number: the numbers drawn at a step do not depend on any step before it."""

from __future__ import annotations

import numpy as np

from chainrule.core.errors import ConfigError


def check_generator(rng: object) -> None:
    """Raises ConfigError unless this is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise ConfigError(
            f"rng = {rng!r}: give a generator, such as numpy.random.default_rng(0); a seed or a "
            "RandomState is none"
        )


def fold_in(rng: np.random.Generator, *numbers: int) -> np.random.Generator:
    """The generator for these numbers, derived from the seed of `rng` and nothing else.

    Raises ValueError if `rng` was made without a seed sequence.
    """
    seed = rng.bit_generator.seed_seq
    if not isinstance(seed, np.random.SeedSequence):
        raise ValueError(f"{rng} was made without a seed sequence: use numpy.random.default_rng")
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *numbers))
    return np.random.Generator(np.random.PCG64(child))

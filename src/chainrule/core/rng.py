"""Random streams by number: the numbers drawn at a step do not depend on any step before it."""

from __future__ import annotations

import numpy as np

from chainrule.core.errors import ConfigError


def as_generator(rng: object) -> np.random.Generator:
    """The generator, or that of a seed; ConfigError for anything else."""
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    if not isinstance(rng, np.random.Generator):
        raise ConfigError(
            f"rng = {rng!r}: give a seed, 0 or more, or a generator, numpy.random.default_rng(0); "
            "a RandomState is none"
        )
    return rng


def fold_in(rng: np.random.Generator, *numbers: int) -> np.random.Generator:
    """The generator for these numbers, derived from the seed of `rng` and nothing else.

    Raises ValueError if `rng` was made without a seed sequence.
    """
    seed = rng.bit_generator.seed_seq
    if not isinstance(seed, np.random.SeedSequence):
        raise ValueError(f"{rng} was made without a seed sequence: use numpy.random.default_rng")
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *numbers))
    return np.random.Generator(np.random.PCG64(child))

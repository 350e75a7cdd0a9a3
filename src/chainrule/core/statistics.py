"""Confidence intervals and significance tests: Wilson, Student, McNemar."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""97.5 % points of Student's t for 1, 2, ... 10 degrees of freedom."""


def prediction_interval(found: Sequence[float]) -> tuple[float, float]:
    """95 % prediction interval for one more run, from the results `found` of n runs.

    mean ± t s sqrt(1 + 1/n), with s their standard deviation; beyond 11 runs the t of 11 is used,
    slightly too wide. Raises ValueError for fewer than two runs, which have no spread.
    """
    n = len(found)
    if n < 2:
        raise ValueError(f"{n} runs: a spread takes two or more, give more of them")
    mean, deviation = float(np.mean(found)), float(np.std(found, ddof=1))
    half = T_95[min(n, len(T_95) + 1) - 2] * deviation * sqrt(1 + 1 / n)
    return mean - half, mean + half


Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % point: a two-sided interval of 95 %."""


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval for successes / trials, 95 % by default.

    Wilson 1927; it stays inside 0..1 and keeps its level near the ends, where accuracies live.
    Raises ValueError without a trial.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials}: successes are 0..trials, of at least one trial")
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar test: the p-value of a difference between two networks.

    `only_first` examples are right in the first network and wrong in the second, `only_second` the
    other way round; examples on which both agree carry no information. If the networks were
    equally good, each of these examples would be a coin toss. McNemar 1947; without approximation,
    so as valid for three examples as for three thousand. Raises ValueError for a negative count.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"{only_first} and {only_second}: counts of examples are 0 or more")
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    ways = at_most_fewer = 1
    for k in range(fewer):
        ways = ways * (tosses - k) // (k + 1)
        at_most_fewer += ways
    return min(1.0, 2 * at_most_fewer / (1 << tosses))

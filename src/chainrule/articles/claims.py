"""Claims: an article's statement, our measurement, and whether the two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.statistics import prediction_interval

LONGEST_SHOWN = 24
"""Characters of numbers that a claim spells out; more are counted."""
OUTSIDE = "outside"
NOT_JUDGED = "not judged"
"""Verdict where there is nothing to compare; neither right nor wrong."""


@dataclass(frozen=True)
class Claim:
    """Claim of an article: the published value, the measured one, the verdict."""

    claim: str
    published: str
    measured: str
    verdict: str
    """exact, within, outside, or not judged."""
    note: str = ""


def verdicts(claims: Iterable[Claim]) -> str:
    """How many claims have each verdict: `3 exact, 2 within, 1 not judged`."""
    counts = Counter(claim.verdict for claim in claims)
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) or "none judged"


def exact(claim: str, printed: str, measured: Array, *, note: str = "") -> Claim:
    """Claim that our numbers equal the article's to the last printed digit; else outside."""
    ours = as_printed(printed, measured)
    theirs = as_printed(printed, np.array(printed.split(), float))
    differing = sum(a != b for a, b in zip(ours, theirs, strict=True))
    numbers, shown = " ".join(theirs), " ".join(ours)
    if len(numbers) > LONGEST_SHOWN:
        numbers = f"{len(theirs)} numbers"
        shown = f"{len(ours) - differing} of {len(ours)} equal"
    return Claim(claim, numbers, shown, OUTSIDE if differing else "exact", note)


def as_printed(printed: str, values: Array) -> list[str]:
    """The values, formatted with as many digits as the article prints.

    NumPy drops trailing zeros, so the longest number of an array gives the digits of all.
    """
    tokens = printed.split()
    kind = "e" if any("e" in token for token in tokens) else "f"
    digits = [len(token.partition("e")[0].partition(".")[2]) for token in tokens]
    # A table's row holds columns of different precision; an array has one.
    places = digits if len(tokens) == 2 else [max(digits)] * len(tokens)
    flat = np.asarray(values, float).ravel() + 0.0
    if len(flat) != len(tokens):
        raise ValueError(f"{len(flat)} values against {len(tokens)} printed ones")
    shown = (f"{value:.{n}{kind}}" for value, n in zip(flat, places, strict=True))
    return [text.removeprefix("-") if float(text) == 0 else text for text in shown]


def inside(
    claim: str, value: float, found: Sequence[float], *, digits: int, note: str = ""
) -> Claim:
    """Claim that the value is inside our 95 % prediction interval; with one seed, not judged.

    A value printed to `digits` stands for all numbers that round to it.
    """
    published, mean = f"{value:.{digits}f}", f"{np.mean(found):.{digits}f}"
    if len(found) < 2:
        remedy = "one run shows no spread to hold it to: give --seeds 2 or more"
        return Claim(claim, published, f"{mean} with 1 seed", NOT_JUDGED, _joined(remedy, note))
    low, high = prediction_interval(found)
    measured = f"{mean} ± {np.std(found, ddof=1):.{digits}f} over {len(found)} seeds"
    half_a_digit = 0.5 * 10.0**-digits
    verdict = "within" if low - half_a_digit <= value <= high + half_a_digit else OUTSIDE
    interval = f"one more run: {low:.{digits}f} to {high:.{digits}f} in 95 % of cases"
    return Claim(claim, published, measured, verdict, _joined(interval, note))


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def falling(claim: str, losses: Sequence[float], *, note: str = "") -> Claim:
    """Claim that each loss is lower than the one before; else outside."""
    falls = all(after < before for before, after in pairwise(losses))
    measured = f"{losses[0]:.4f} -> {losses[-1]:.4f}"
    return Claim(claim, "falls", measured, "within" if falls else OUTSIDE, note)

"""Paired comparison of two networks on the same test images, with McNemar's exact test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.statistics import mcnemar
from chainrule.data.dataset import Dataset
from chainrule.evaluation.assessment import Assessment, assess_saved
from chainrule.nn.model_file import Model

LEVEL = 0.05
"""Significance level: a difference with p below it is significant."""


@dataclass(frozen=True)
class Comparison:
    """Paired comparison of two networks: both assessments, and where they disagree."""

    name_a: str
    name_b: str
    a: Assessment
    b: Assessment
    both_right: int
    only_a_right: int
    only_b_right: int
    both_wrong: int
    p: float
    """p-value: the probability of a difference at least this large by chance alone."""

    @property
    def significant(self) -> bool:
        """True if p is below LEVEL."""
        return self.p < LEVEL

    def as_json(self) -> dict[str, Any]:
        """Everything."""
        one, other = (
            {"run": run, "accuracy": found.accuracy, "interval": found.interval,
             "errors": found.errors, "beats_guessing": found.beats_guessing}
            for run, found in ((self.name_a, self.a), (self.name_b, self.b))
        )  # fmt: skip
        return {
            "a": one,
            "b": other,
            "images": len(self.a.labels),
            "both_right": self.both_right,
            "only_a_right": self.only_a_right,
            "only_b_right": self.only_b_right,
            "both_wrong": self.both_wrong,
            "p": self.p,
            "level": LEVEL,
            "told_from_luck": self.significant,
            "verdict": self.verdict(),
        }

    def verdict(self) -> str:
        """Result in one sentence."""
        a, b, only_a, only_b = self.name_a, self.name_b, self.only_a_right, self.only_b_right
        if only_a == only_b:
            return (
                f"{a} and {b} are right on equally many {self.a.noun} ({only_a:,} each that the "
                "other gets wrong), so there is no difference to test (McNemar's exact test: p = 1)"
            )
        better, worse = (a, b) if only_a > only_b else (b, a)
        significant = "significant" if self.significant else "not significant"
        return (
            f"{better} is right on {abs(only_a - only_b):,} more {self.a.noun} than {worse}, which "
            f"is {significant} at the {100 * LEVEL:.0f} % level (McNemar's exact test: "
            f"p = {self.p:.3g}, over {only_a + only_b:,} {self.a.noun} that only one gets right)"
        )


def compare(name_a: str, a: Model, name_b: str, b: Model, data: Dataset) -> Comparison:
    """Compares two networks on the test images.

    Raises ModelFileError where the outputs of one are not finite.
    """
    found_a, found_b = assess_saved(name_a, a, data), assess_saved(name_b, b, data)
    right_a, right_b = (found.labels == found.predicted for found in (found_a, found_b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    return Comparison(
        name_a,
        name_b,
        found_a,
        found_b,
        both_right=int((right_a & right_b).sum()),
        only_a_right=only_a,
        only_b_right=only_b,
        both_wrong=int((~right_a & ~right_b).sum()),
        p=mcnemar(only_a, only_b),
    )


def check_alike(name_a: str, a: Model, name_b: str, b: Model) -> None:
    """Raises ConfigError unless both networks have the same inputs and classes."""
    for what, one, other in (
        ("inputs" if a.schema else "pixels", a.inputs, b.inputs),
        ("classes", a.outputs, b.outputs),
    ):
        if one != other:
            raise ConfigError(
                f"{name_a} has {one} {what}, {name_b} {other}: "
                "compare networks for the same images and the same classes"
            )
    if a.schema != b.schema:
        raise ConfigError(
            f"{name_a} and {name_b} take other columns of a table, or scale them otherwise: "
            "compare networks that were trained on the same table"
        )
    if a.classes and b.classes and a.classes != b.classes:
        mine, yours = next(
            pair for pair in zip(a.classes, b.classes, strict=True) if len({*pair}) > 1
        )
        raise ConfigError(
            f"{name_a} has a class {mine!r} where {name_b} has {yours!r}: "
            "compare networks for the same classes in the same order"
        )

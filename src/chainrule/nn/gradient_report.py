"""The gradient check of everything: each activation with each loss, in one report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.nn.gradient_check import GradientCheck, Mismatch, walk


@dataclass(frozen=True)
class GradientReport:
    """The checks of every activation with every loss."""

    checks: tuple[tuple[str, str, GradientCheck], ...]
    """(activation, loss, check)."""

    @property
    def checked(self) -> int:
        """The number of gradients that were compared."""
        return sum(check.checked for _, _, check in self.checks)

    @property
    def skipped(self) -> int:
        """The number of parameters at a kink, where no slope exists."""
        return sum(check.skipped for _, _, check in self.checks)

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max(check.worst for _, _, check in self.checks)

    @property
    def ok(self) -> bool:
        """Whether every check is."""
        return all(check.ok for _, _, check in self.checks)

    def failures(self) -> list[tuple[str, str, Mismatch]]:
        """(activation, loss, parameter whose gradients differ)."""
        return [
            (activation, loss, bad)
            for activation, loss, check in self.checks
            for bad in check.failures
        ]

    def worst_by_activation(self) -> dict[str, dict[str, float]]:
        """Activation -> loss -> the largest relative error."""
        table: dict[str, dict[str, float]] = {}
        for activation, loss, check in self.checks:
            row = table.setdefault(activation, {})
            row[loss] = max(row.get(loss, 0.0), check.worst)
        return table

    def as_json(self) -> dict[str, Any]:
        """The verdict, and each parameter that failed."""
        failures = [
            {"activation": activation, "loss": loss,
             "parameter": f"layer {bad.layer}, {bad.parameter}", "error": bad.error}
            for activation, loss, bad in self.failures()
        ]  # fmt: skip
        return {
            "checked": self.checked, "worst": self.worst, "ok": self.ok, "failures": failures,
        }  # fmt: skip


def check_everything(rng: np.random.Generator) -> GradientReport:
    """Checks small networks in float64, each parameter nudged; `rng` draws them."""
    return GradientReport(tuple(walk(rng)))

"""Gradient check report: every activation with every loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.nn.gradient_check import GradientCheck, Mismatch, walk


@dataclass(frozen=True)
class GradientReport:
    """Gradient checks of every activation with every loss."""

    checks: tuple[tuple[str, str, GradientCheck], ...]
    """(activation, loss, check)."""

    @property
    def checked(self) -> int:
        """Number of gradients compared."""
        return sum(check.checked for _, _, check in self.checks)

    @property
    def skipped(self) -> int:
        """Number of parameters at a kink, where no slope exists."""
        return sum(check.skipped for _, _, check in self.checks)

    @property
    def worst(self) -> float:
        """The largest relative error."""
        return max(check.worst for _, _, check in self.checks)

    @property
    def ok(self) -> bool:
        """True if every check is ok."""
        return all(check.ok for _, _, check in self.checks)

    def failures(self) -> list[tuple[str, str, Mismatch]]:
        """(activation, loss, mismatch) of each parameter whose gradients differ."""
        return [
            (activation, loss, bad)
            for activation, loss, check in self.checks
            for bad in check.failures
        ]

    def worst_by_activation(self) -> dict[str, dict[str, float]]:
        """Largest relative error: activation -> loss -> error."""
        table: dict[str, dict[str, float]] = {}
        for activation, loss, check in self.checks:
            row = table.setdefault(activation, {})
            row[loss] = max(row.get(loss, 0.0), check.worst)
        return table

    def as_json(self) -> dict[str, Any]:
        """The verdict and each failed parameter, for JSON."""
        failures = [
            {"activation": activation, "loss": loss,
             "parameter": f"layer {bad.layer}, {bad.parameter}", "error": bad.error}
            for activation, loss, bad in self.failures()
        ]  # fmt: skip
        return {
            "checked": self.checked, "worst": self.worst, "ok": self.ok, "failures": failures,
        }  # fmt: skip


def check_everything(rng: np.random.Generator) -> GradientReport:
    """Gradient check of every parameter of small networks in float64, drawn by `rng`."""
    return GradientReport(tuple(walk(rng)))

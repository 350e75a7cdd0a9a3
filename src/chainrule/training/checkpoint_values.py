"""Values of a checkpoint: what each may be, in one table.

A checksum says that a file is as it was written, not that what was written makes sense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, isnan
from typing import Any

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.rules import Value, short

COUNT = Value(int, 0, 10**18 - 1)
RATE = Value(float, 0, 1e30)
"""A schedule that was scaled by hand may rise far above the highest that a setting may be."""
SECONDS = Value(float, 0, 1e9)
"""Thirty years."""
WEIGHT = Value(float, 0, 1e300)
"""Of the examples so far: their number, or the sum of their weights."""
LOSS, TOTAL = Value(float, -1e-6), Value(float, -1)
"""Of a mean and of a sum over an epoch: article 4's loss, -log(a + 1e-8), is barely below 0."""
MEASURED = Value(float, -1e-6, inf)

PROGRESS = {
    "epoch": COUNT, "step": COUNT, "batches": COUNT, "examples": WEIGHT, "loss": TOTAL,
    "objective": TOTAL, "seconds": SECONDS, "best_loss": MEASURED, "best_step": COUNT,
    "waited": COUNT, "optimizer_steps": COUNT,
}  # fmt: skip
"""Numbers of the progress; its schedule is compared with that of the run."""
EPOCH = {
    "epoch": COUNT, "step": COUNT, "loss": LOSS, "objective": LOSS, "validation_loss": MEASURED,
    "validation_accuracy": Value(float, 0, 1, absent=True), "learning_rate": RATE,
    "seconds": SECONDS,
}  # fmt: skip
"""An epoch of the history. Its validation loss is measured, not minimised: it may be null, or not
finite where the network diverges after its last step."""
OF_VALUES = {"validation_r2": Value(float, -inf, 1, absent=True)}
"""What an epoch of values has besides, as EpochOfValues."""
LONGEST_TEXT = 1000
SQUARES = ("optimizer.v", "optimizer.squares")
"""Arrays that are means of squares, so never negative."""


def check_values(
    numbers: Mapping[str, Any], history: Sequence[Any], arrays: Mapping[str, Array]
) -> None:
    """Raises ValueError, naming the value and its rule, for one that training never writes."""
    if odd := numbers.keys() ^ PROGRESS.keys() ^ {"schedule"}:
        raise ValueError(f"{_listed(odd)}: its progress fields are not those of this version")
    if not isinstance(numbers["schedule"], dict):
        raise ValueError("schedule: not of the type that this version writes")
    _check("progress", numbers, PROGRESS)
    for number, epoch in enumerate(history, 1):
        if not isinstance(epoch, dict):
            raise ValueError("an epoch of its history is not a table")
        check_epoch(epoch, number)
    for name, array in arrays.items():
        if not is_finite(array):
            raise ValueError(
                f"{_listed({name})} has a value, or a sum, that is not a finite number"
            )
        if name in SQUARES and (array < 0).any():
            raise ValueError(f"{name} has a value below 0, and is a mean of squares")


def is_finite(array: Array) -> bool:
    """True if the sum is finite, and so each value: the divergence guard ends all other runs."""
    with np.errstate(over="ignore", invalid="ignore"):
        return isfinite(float(np.add.reduce(array, axis=None)))


def check_epoch(epoch: Mapping[str, Any], number: int) -> None:
    """Raises ValueError unless this is the record of an epoch, of this number."""
    epoch = {"objective": epoch.get("loss")} | dict(epoch)  # 0.1.0 has no objective
    rules = EPOCH | (OF_VALUES if "validation_r2" in epoch else {})
    if odd := epoch.keys() ^ rules.keys():
        raise ValueError(f"{_listed(odd)}: not the fields of an epoch in this version")
    for name in ("validation_loss", *OF_VALUES):
        measured = epoch.get(name)
        if name in rules and (
            measured is None or (isinstance(measured, float) and isnan(measured))
        ):
            epoch[name] = 0.0
    _check(f"epoch {number}", epoch, rules)
    if epoch["epoch"] != number:
        raise ValueError(f"epoch {epoch['epoch']} stands where epoch {number} belongs")


def check_texts(name: str, texts: Any, *, values: bool) -> None:
    """Raises ValueError unless the names of a table, and its `values`, are texts to be printed."""
    if not isinstance(texts, dict):
        raise ValueError(f"its {name} are not a table")
    for text in (*texts, *(texts.values() if values else ())):
        if not isinstance(text, str):
            raise ValueError(f"its {name} are not texts")
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise ValueError(
                f"its {name} hold {text[:40]!a}, not a text of at most {LONGEST_TEXT:,} "
                "printable characters"
            )


def _check(where: str, numbers: Mapping[str, Any], rules: Mapping[str, Value]) -> None:
    for name, rule in rules.items():
        if not rule.allows(numbers[name]):
            raise ValueError(f"{name} of the {where} is {short(numbers[name])}, not {rule}")


def _listed(names: set[Any]) -> str:
    return ", ".join(sorted(ascii(str(name)[:40])[1:-1] for name in names)[:8])

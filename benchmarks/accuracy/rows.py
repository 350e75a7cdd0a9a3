"""Measured runs, a row each in records.json; stale once their recipe has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.accuracy.goals import COMMITTEE, GOALS, OF
from chainrule.core.files import write_atomically
from chainrule.experiments.recipes import RECIPES
from chainrule.experiments.settings import read_toml
from chainrule.runs.members import differing
from chainrule.training.options import ALL_CORES

PLACE = Path("benchmarks/results/records.json")
ORDER = [goal.recipe for goal in GOALS]
UNTIL = {goal.recipe: goal.until for goal in GOALS if goal.until}


@dataclass(frozen=True)
class Row:
    """One finished run of a recipe, or the committee."""

    recipe: str
    seed: int | None
    """None: the committee."""
    test_error: float
    """0..1"""
    errors: int
    images: int
    train_seconds: float
    """Of all members together, for the committee."""
    total_seconds: float | None
    """From the start of the program to its end; None if that was not one program."""
    epochs: int | None
    parameters: int
    date: str
    machine: dict[str, Any]
    settings: dict[str, Any]
    """Those of the recipe; of the members' recipe, for the committee."""
    others: float | None = None
    """Cores that other programs kept busy meanwhile; None: not known."""
    cores: int | None = None
    """Those that it was confined to, trained beside other runs; None: it had them all."""
    until: dict[str, Any] | None = None
    """{accuracy, seconds}: of training until the validation accuracy was reached; None: never."""
    corrupted: dict[str, Any] | None = None
    """{mean, each}: accuracy on corrupted copies of the test images, 0..1."""

    def is_stale(self) -> bool:
        """Whether the recipe is another by now."""
        name = OF if self.recipe == COMMITTEE else self.recipe
        return name not in RECIPES or bool(differing(self.settings, RECIPES[name]))


def read(place: Path = PLACE) -> list[Row]:
    """The rows that are there; SystemExit, saying why, if the file cannot be understood."""
    if not place.exists():
        return []
    try:
        rows = [Row(**row) for row in json.loads(place.read_text(encoding="utf-8"))["rows"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(
            f"{place}: not what `python -m benchmarks.accuracy` writes: {error}"
        ) from None
    return in_order(rows)


def write(rows: Sequence[Row], place: Path = PLACE) -> None:
    """All rows, each on a line of its own, all or nothing."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in in_order(rows))
    write_atomically(place, f'{{"rows": [\n{lines}\n]}}\n'.encode())


def put(row: Row, place: Path = PLACE) -> None:
    """Adds the row in the place of one of the same recipe and seed.

    A new member makes the old committee another than the one that would be made now: it goes.
    """
    rows = [old for old in read(place) if (old.recipe, old.seed) != (row.recipe, row.seed)]
    if row.recipe == OF:
        rows = [old for old in rows if old.recipe != COMMITTEE]
    write([*rows, row], place)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """By recipe, in the order of the goals, and by seed."""
    order = {name: number for number, name in enumerate(ORDER)}
    return sorted(rows, key=lambda row: (order.get(row.recipe, len(order)), row.seed or 0))


def row_of(
    folder: Path,
    recipe: str,
    seed: int | None,
    *,
    machine: Mapping[str, Any],
    resumed: bool,
    others: float | None = None,
) -> Row:
    """The row of a finished run, from what stands in its folder."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    accuracy = UNTIL.get(recipe)
    return Row(
        recipe=recipe,
        seed=seed,
        test_error=report["test_error"],
        errors=report["errors"],
        images=sum(map(sum, report["confusion"])),
        train_seconds=report["train_seconds"],
        total_seconds=None if resumed else report.get("total_seconds"),
        epochs=report.get("epochs"),
        parameters=report["parameters"],
        date=date.today().isoformat(),
        machine={name: value for name, value in machine.items() if name != "date"},
        settings=settings_of(OF if recipe == COMMITTEE else recipe),
        others=others,
        cores=None if seed is None else _cores(folder),
        until=None
        if accuracy is None
        else {"accuracy": accuracy, "seconds": seconds_until(folder / "history.jsonl", accuracy)},
    )


def _cores(folder: Path) -> int | None:
    """Cores that a run was limited to; None: it had all of them."""
    threads = read_toml(folder / "config.toml").get("threads", ALL_CORES)
    return None if threads == ALL_CORES else int(threads)


def settings_of(recipe: str) -> dict[str, Any]:
    """The recipe's settings but the seed, as JSON has them."""
    settings: dict[str, Any] = json.loads(json.dumps(asdict(RECIPES[recipe])))
    return {name: value for name, value in settings.items() if name != "seed"}


def seconds_until(history: Path, accuracy: float) -> float | None:
    """Of training, until the validation accuracy, 0..1, was reached first; None: it never was."""
    seconds = 0.0
    for line in history.read_text(encoding="utf-8").splitlines():
        epoch = json.loads(line)
        seconds += float(epoch["seconds"])
        if (epoch["validation_accuracy"] or 0) >= accuracy:
            return round(seconds, 3)
    return None

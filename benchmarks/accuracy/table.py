"""Accuracy table: goals and results of each recipe, with confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import mean, stdev

from benchmarks.accuracy.goals import COMMITTEE, GOALS, SEEDS, Goal
from benchmarks.accuracy.rows import Row, in_order
from benchmarks.contention import MANY
from chainrule.core.statistics import T_95, wilson_interval

HEADINGS = (
    "recipe",
    "promise",
    "test error %",
    "95 % interval",
    "seconds",
    "parameters",
    "epochs",
    "error % on corrupted",
    "outcome",
)
NOTE = """\
Mean ± standard deviation over seeds, their number in brackets. The interval is that of the
mean, by Student's t: how much seeds matter. That there are only 10,000 test images is another
uncertainty, ± 0.12 points at an error of 0.4 %. A single network, or the committee, has Wilson's
interval of its errors. "Corrupted" is the mean over corrupted copies of the test images, seed 0."""


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown, a row for each goal, and below it how and where it was measured."""
    lines = [
        cells(goal, [row for row in in_order(rows) if row.recipe == goal.recipe]) for goal in GOALS
    ]
    return "\n\n".join([markdown(HEADINGS, lines), NOTE, *measured(rows)])


def cells(goal: Goal, rows: Sequence[Row]) -> tuple[str, ...]:
    """One recipe's row, under HEADINGS."""
    fresh = [row for row in rows if not row.is_stale()]
    shown = fresh or list(rows)
    if not shown:
        return (f"`{goal.recipe}`", goal.promise(), *[""] * 6, "not run yet")
    errors = [100 * row.test_error for row in shown]
    low, high = interval(shown)
    return (
        f"`{goal.recipe}`",
        goal.promise(),
        f"{spread(errors, '.3f')}{of(shown)}",
        f"{low:.3f} to {high:.3f}",
        seconds_in_words(goal, shown),
        distinct(shown, lambda row: f"{row.parameters:,}"),
        distinct(shown, lambda row: "" if row.epochs is None else str(row.epochs)),
        next((f"{100 - 100 * row.corrupted['mean']:.1f}" for row in shown if row.corrupted), ""),
        outcome(goal, rows),
    )


def outcome(goal: Goal, rows: Sequence[Row]) -> str:
    """Met, or missed by how much and why; and what is still to be run."""
    fresh = [row for row in rows if not row.is_stale()]
    stale = len(rows) - len(fresh)
    if not fresh:
        return "stale: the recipe has changed since, not run again yet"
    # One division of whole numbers: 42 of 10,000 five times over is 0.42, and no more.
    error = 100 * sum(row.errors for row in fresh) / sum(row.images for row in fresh)
    single = alone(fresh)
    seconds = timed(goal, single)
    misses = []
    if goal.error is not None and error > goal.error:
        misses.append(f"by {error - goal.error:.3f} points")
    if goal.until is not None and len(seconds) < len(single):
        misses.append(f"in {len(single) - len(seconds)} of {len(single)} runs")
    if goal.seconds is not None and seconds and mean(seconds) > goal.seconds:
        misses.append(f"by {mean(seconds) - goal.seconds:.1f} s")
    words = f"missed {', '.join(misses)}" if misses else "met"
    if misses and goal.why:
        words += f": {goal.why}"
    if goal.stretch is not None and not misses:
        words += ", and the stretch" if error <= goal.stretch else ", not the stretch"
    if goal.recipe != COMMITTEE and len(fresh) < len(SEEDS):
        words += f"; {len(fresh)} of {len(SEEDS)} seeds, the others not run yet"
    busy = [row.others for row in fresh if row.others and row.others > MANY]
    if busy and goal.seconds is not None:
        words += f"; in {len(busy)} of {len(fresh)} runs others kept {mean(busy):.1f} cores busy"
    if goal.seconds is not None and len(single) < len(fresh):
        words += f"; {len(fresh) - len(single)} trained side by side, whose seconds do not count"
    if stale:
        words += f"; {stale} stale rows of an older recipe left out"
    return words


def alone(rows: Sequence[Row]) -> list[Row]:
    """Those that had all cores: a promise in seconds is about them."""
    return [row for row in rows if row.cores is None]


def timed(goal: Goal, rows: Sequence[Row]) -> list[float]:
    """The seconds that the goal is about, of the runs that have them."""
    if goal.until is None:
        return [row.train_seconds for row in rows]
    reached = (row.until["seconds"] for row in rows if row.until)
    return [seconds for seconds in reached if seconds is not None]


def seconds_in_words(goal: Goal, rows: Sequence[Row]) -> str:
    """Such as "4.9 ± 0.3"; for a goal of time until an accuracy, those until then too."""
    single = alone(rows)
    if not single:
        return ""
    whole = spread([row.train_seconds for row in single], ".1f")
    if len(single) < len(rows):
        whole += of(single)
    if goal.until is None:
        return whole
    seconds = timed(goal, single)
    return f"{spread(seconds, '.1f')} until then, {whole} in all" if seconds else f"{whole} in all"


def interval(rows: Sequence[Row]) -> tuple[float, float]:
    """The 95 % interval of the error in percent."""
    if len(rows) == 1:
        low, high = wilson_interval(rows[0].errors, rows[0].images)
        return 100 * low, 100 * high
    errors = [100 * row.test_error for row in rows]
    # Beyond eleven runs the t of eleven: a little too wide.
    half = T_95[min(len(errors), len(T_95) + 1) - 2] * stdev(errors) / sqrt(len(errors))
    return max(mean(errors) - half, 0.0), mean(errors) + half


def spread(values: Sequence[float], form: str) -> str:
    """Mean ± standard deviation; of one value, the value."""
    deviation = f" ± {format(stdev(values), form)}" if len(values) > 1 else ""
    return format(mean(values), form) + deviation


def of(rows: Sequence[Row]) -> str:
    """How many."""
    return "" if rows[0].recipe == COMMITTEE else f" ({len(rows)})"


def distinct(rows: Sequence[Row], text: Callable[[Row], str]) -> str:
    """What is the same in all rows, once; else each."""
    return ", ".join(dict.fromkeys(map(text, rows)))


def measured(rows: Sequence[Row]) -> list[str]:
    """When and where the rows were measured, a sentence for each machine."""
    machines: dict[str, list[str]] = {}
    for row in rows:
        machine = row.machine
        words = (
            f"{machine['cores']} cores of {machine['processor']}, {machine['blas']} "
            f"({machine['kernel']}), Python {machine['python']}"
        )
        machines.setdefault(words, []).append(row.date)
    return [
        f"({' to '.join(dict.fromkeys((min(days), max(days))))}, {words})"
        for words, days in machines.items()
    ]


def markdown(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)

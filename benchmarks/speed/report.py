"""Report of the figures: rows, a table for the terminal, Markdown, one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from statistics import median
from typing import Any

from benchmarks.speed.peers.sgemm import FLOPS
from benchmarks.speed.turns import Measured
from benchmarks.speed.work import WORKS, Work


@dataclass(frozen=True)
class Row:
    """One piece of work, ours beside a peer's."""

    work: str
    peer: str
    threads: tuple[int, int]
    """Ours, theirs: the number with which each was quicker."""
    unit: str
    ours: float
    """Median seconds of one unit."""
    ours_range: tuple[float, float]
    theirs: float
    theirs_range: tuple[float, float]
    ratio: float
    """theirs / ours: above 1 we are quicker."""
    goal: float | None
    met: bool | None
    accuracy: tuple[float | None, float | None]
    """Ours, theirs, after the timed work."""
    share_of_peak: float | None
    """Ours: floating-point operations per second over those of the control in the same run."""


def rows_of(work: Work, measured: Sequence[Measured], *, images: int) -> list[Row]:
    """One row for each peer that took part, the better number of threads on either side."""
    best = {peer: _best(measured, peer) for peer in dict.fromkeys(m.peer for m in measured)}
    ours, compiled = best.pop("ours"), best.pop("ours, compiled", None)
    if not ours:
        return []
    if compiled and median(compiled.seconds) < median(ours.seconds):
        best["ours, NumPy alone"] = replace(ours, peer="ours, NumPy alone")
        ours = compiled
    control = best.pop("sgemm", None)
    operations = work.operations(images)
    share = None
    if control and operations:
        share = (operations / median(ours.seconds)) / (FLOPS / median(control.seconds))
    rows = [
        _row(work, ours, theirs, work.goals.get(peer), share)
        for peer, theirs in best.items()
        if theirs
    ]
    if "sgemm" in work.goals and share is not None and control:
        peak = Measured("sgemm", control.threads, [operations / FLOPS * s for s in control.seconds])
        rows.append(_row(work, ours, peak, work.goals["sgemm"], share))
    if "" in work.goals:
        # A goal in seconds of our own: the bound takes the place of a peer.
        bound = Measured("bound", ours.threads, [work.goals[""]])
        rows.append(_row(work, ours, bound, 1.0, None))
    return rows


def _best(measured: Sequence[Measured], peer: str) -> Measured | None:
    candidates = [m for m in measured if m.peer == peer and m.seconds]
    return min(candidates, key=lambda m: median(m.seconds), default=None)


def _row(
    work: Work, ours: Measured, theirs: Measured, goal: float | None, share: float | None
) -> Row:
    ratio = median(theirs.seconds) / median(ours.seconds)
    return Row(
        work=work.name,
        peer=theirs.peer,
        threads=(ours.threads, theirs.threads),
        unit=work.unit,
        ours=median(ours.seconds),
        ours_range=(min(ours.seconds), max(ours.seconds)),
        theirs=median(theirs.seconds),
        theirs_range=(min(theirs.seconds), max(theirs.seconds)),
        ratio=ratio,
        goal=goal,
        met=None if goal is None else ratio >= goal,
        accuracy=(_finite(ours.accuracy), _finite(theirs.accuracy)),
        share_of_peak=share,
    )


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def as_json(
    rows: Sequence[Row],
    *,
    machine: dict[str, Any],
    versions: dict[str, str],
    growth: list[dict[str, Any]],
) -> dict[str, Any]:
    """The one object that --json prints."""
    return {
        "machine": machine,
        "versions": versions,
        "rows": [asdict(row) for row in rows],
        "growth": growth,
    }


HEADINGS = (
    "work",
    "beside",
    "ours",
    "theirs",
    "ratio",
    "goal",
    "",
    "right % ours / theirs",
    "peak",
)


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, under HEADINGS."""
    met = {None: "", True: "met", False: "missed"}[row.met]
    accuracy = " / ".join("-" if a is None else f"{100 * a:.2f}" for a in row.accuracy)
    return (
        row.work,
        row.peer,
        f"{span(row.ours, row.ours_range)} ({row.threads[0]})",
        f"{span(row.theirs, row.theirs_range)} ({row.threads[1]})",
        f"{row.ratio:.2f}",
        "" if row.goal is None else f"{row.goal:g}",
        met,
        "" if row.accuracy == (None, None) else accuracy,
        "" if row.share_of_peak is None else f"{100 * row.share_of_peak:.0f} %",
    )


def span(middle: float, ends: tuple[float, float]) -> str:
    """Such as "1.31 s, 1.28-1.40", in the unit that suits the median."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if middle * factor >= 1 or unit == "us":
            break
    return f"{middle * factor:.3g} {unit}, {ends[0] * factor:.3g}-{ends[1] * factor:.3g}"


GROWTH = ("as it grows", "", "seconds an epoch", "MiB held")


def growth_cells(point: dict[str, Any]) -> tuple[str, ...]:
    """What one size cost, under GROWTH."""
    return (
        point["what"],
        f"{point['value']:,}",
        f"{point['seconds']:.2f}",
        f"{point['mib']:,.0f}",
    )


def described(result: dict[str, Any]) -> str:
    """The machine, the versions and the day in one line."""
    machine, versions = result["machine"], result["versions"]
    listed = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, "
        f"{machine['blas']} ({machine['kernel']}), Python {machine['python']}, {listed}"
    )


def page(rows: Sequence[Row], result: dict[str, Any]) -> str:
    """docs/benchmarks.md: the table, what its rows mean, and the costs as they grow."""
    works = "\n".join(f"* **{work.name}** {work.title}" for work in WORKS)
    return PAGE.format(
        described=described(result),
        table=markdown(HEADINGS, [cells(row) for row in rows]),
        works=works,
        growth=markdown(GROWTH, [growth_cells(point) for point in result["growth"]]),
    )


def markdown(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


PAGE = """# Benchmarks

Written by `make bench` ({described}).

![The ratios](pictures/speed.png)

Medians with the smallest and the largest of the turns, and in brackets the number of threads with
which each side was quicker. The ratio is theirs / ours. "right %" is the accuracy on the test set
after the timed work. "peak" is our share of this machine's own rate for a product of two
2048 x 2048 matrices, taken in the same turns.

{table}

{works}

Every contender is a process of its own, with the same float32 data (the articles' arithmetic in
its own float64), the same first weights and the same work; they take turns, and rest between them.
"article" does what the articles' code does, operation for operation, in our words.
"bound" is a goal in seconds, "sgemm" the machine's peak.

## As it grows

784-128-10 unless the width or the depth is what varies, ReLU, Adam, batch 128; one epoch of 60,000
images unless their number varies. The images are memory-mapped; "MiB held" is what the process has
beside them.

{growth}
"""

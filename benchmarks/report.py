"""The figures as rows, as a table for the terminal, as Markdown and as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from statistics import median
from typing import Any

from benchmarks.peers.sgemm import FLOPS
from benchmarks.turns import Measured
from benchmarks.work import Work


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
    ours = best.pop("ours")
    if not ours:
        return []
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
        rows.append(_bound(work, ours, work.goals[""]))
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


def _bound(work: Work, ours: Measured, bound: float) -> Row:
    """A goal in seconds of our own: the bound takes the place of a peer."""
    row = _row(work, ours, Measured("bound", ours.threads, [bound]), 1.0, None)
    return row


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


HEADINGS = ("work", "beside", "ours", "theirs", "ratio", "goal", "", "right % ours / theirs", "peak")


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


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *map(cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""Accuracy page: docs/records.md, from benchmarks/results/records.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.accuracy.rows import Row, in_order
from benchmarks.accuracy.table import markdown, table
from chainrule.core.files import write_atomically

PAGE = Path("docs/records.md")

TEXT = """# Records

Written by `make records`, which goes on where it was stopped, and
`python -m benchmarks.accuracy --write`.

{table}

Each recipe was chosen on the last 10,000 training images, see the [journal](journal.md). Then it is
run once for each seed, and the test images are read once, at its fixed end.

## Each run

{runs}

"s in all" is from the start of the program to its end, with data, evaluation and pictures; empty
where the run was stopped and went on. "cores" are those that it had: runs that are trained
side by side (`--jobs`) share them, and their seconds do not count. "others" are the cores that
other programs kept busy meanwhile, or the host of a virtual machine gave to others: seconds that
were measured beside them say little. A stale row is of a recipe that has changed since: it counts
for nothing, and is run again.

## On corrupted test images

Error in %, the mean over severities 1 to 5; seed 0 (`chainrule evaluate RUN --corrupted`).

{corrupted}
"""


def page(rows: Sequence[Row]) -> str:
    """docs/records.md."""
    rows = in_order(rows)
    headings = (
        "recipe", "seed", "wrong", "test error %", "s of training", "s in all", "until 99 %",
        "epochs", "cores", "others", "day", "",
    )  # fmt: skip
    return TEXT.format(
        table=table(rows),
        runs=markdown(headings, [run_cells(row) for row in rows]) if rows else "None yet.",
        corrupted=corrupted(rows),
    )


def run_cells(row: Row) -> tuple[str, ...]:
    """One run, for the list of all."""
    until = row.until and row.until["seconds"]
    return (
        row.recipe,
        "" if row.seed is None else str(row.seed),
        str(row.errors),
        f"{100 * row.test_error:.2f}",
        f"{row.train_seconds:.1f}",
        "" if row.total_seconds is None else f"{row.total_seconds:.1f}",
        "" if not row.until else "never" if until is None else f"{until:.1f}",
        "" if row.epochs is None else str(row.epochs),
        "all" if row.cores is None else str(row.cores),
        "" if row.others is None else f"{row.others:.1f}",
        row.date,
        "stale" if row.is_stale() else "",
    )


def corrupted(rows: Sequence[Row]) -> str:
    """A row for each recipe that was measured so, a column for each corruption."""
    lines = []
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row.corrupted["each"] if row.corrupted else ())
    for row in rows:
        if row.corrupted:
            accuracies = [row.corrupted["each"].get(name) for name in names]
            cells = ["" if a is None else f"{100 - 100 * a:.1f}" for a in accuracies]
            mean = f"{100 - 100 * row.corrupted['mean']:.1f}"
            recipe = f"{row.recipe} (stale)" if row.is_stale() else row.recipe
            lines.append((recipe, f"{100 * row.test_error:.2f}", *cells, mean))
    return markdown(("recipe", "clean", *names, "mean"), lines) if lines else "Not run yet."


def write_page(rows: Sequence[Row]) -> bool:
    """Writes docs/records.md; whether that changed anything."""
    text = page(rows)
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return False
    write_atomically(PAGE, text.encode())
    return True

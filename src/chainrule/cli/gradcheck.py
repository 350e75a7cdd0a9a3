"""`chainrule gradcheck`: hand-derived gradients against finite differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from chainrule.cli.console import Json, print_json, print_table, show

if TYPE_CHECKING:
    from chainrule.nn.gradient_report import GradientReport

ORDER = 120


def gradcheck(
    seed: int = typer.Option(0, help="Seed of the small networks."), json: Json = False
) -> None:
    """Check every activation with every loss, with and without penalty and label smoothing.

    Small networks in float64, each parameter perturbed. Exit code 1 if any gradient is wrong.
    """
    import numpy as np

    from chainrule.nn.gradient_report import check_everything

    report = check_everything(np.random.default_rng(seed))
    if json:
        print_json(report.as_json())
    else:
        _print(report)
    raise typer.Exit(0 if report.ok else 1)


def _print(report: GradientReport) -> None:
    """Prints the largest errors in a table, the parameters that failed, the verdict."""
    table = report.worst_by_activation()
    losses = next(iter(table.values()))
    print_table(
        "largest relative error between derived and numeric gradient",
        ("activation", *losses),
        [(name, *(f"{error:.1e}" for error in row.values())) for name, row in table.items()],
    )
    failures = report.failures()
    for _, _, bad in failures:
        show(str(bad))
    verdict = "all agree" if report.ok else f"{len(failures)} DIFFER"
    show(f"{report.checked:,} gradients checked, {report.skipped} skipped at kinks: {verdict}")

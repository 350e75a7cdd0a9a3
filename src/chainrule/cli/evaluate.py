"""`chainrule evaluate`: how good a trained network is, and where it errs."""

from __future__ import annotations

from typing import Annotated

import typer

from chainrule.cli.console import (
    Json,
    Offline,
    Quiet,
    note,
    print_json,
    print_table,
    silence,
)

SHOWN = 12
"""Mistakes that are listed by their index."""


def evaluate(
    run: Annotated[str, typer.Argument(help="A run's name, its folder, or a model file.")],
    data: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Other data than the run was trained with.")
    ] = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure a network on the test images: accuracy with its interval, confusion, each class.

    Example: chainrule evaluate mine
    """
    from chainrule.cli.report import assess, headline
    from chainrule.cli.runs import data_of, read_run

    model, config = read_run(run)
    dataset = data_of(model, config, data, offline=offline, report=silence if quiet else note)
    found = assess(model, *dataset.test)
    if json:
        print_json(
            {
                "accuracy": found.accuracy,
                "interval": found.interval,
                "errors": found.errors,
                "confusion": found.confusion.tolist(),
                "per_class": found.per_class(dataset.classes),
            }
        )
        return
    print(headline(found))
    print(f"{100 * found.top_3:.2f} % have the right class among the three most probable")
    s = found.scores
    print_table(
        "each class",
        ("class", "precision", "recall", "F1", "images"),
        [
            (name, f"{p:.4f}", f"{r:.4f}", f"{f:.4f}", f"{n:,}")
            for name, p, r, f, n in zip(
                dataset.classes, s.precision, s.recall, s.f1, s.support, strict=True
            )
        ],
    )
    print_table(
        "confusion: rows actual, columns predicted",
        ("", *dataset.classes),
        [
            (name, *(str(count) if count else "." for count in row))
            for name, row in zip(dataset.classes, found.confusion, strict=True)
        ],
    )
    first = found.mistakes()[:SHOWN]
    if first:
        names = dataset.classes
        listed = ", ".join(f"{i} ({names[a]} read as {names[p]})" for i, a, p in first)
        print(f"first mistakes, by index: {listed}")

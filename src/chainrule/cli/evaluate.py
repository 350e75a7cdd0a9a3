"""`chainrule evaluate`: accuracy of a trained network, its mistakes, its calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import (
    Json,
    Offline,
    Quiet,
    note,
    print_json,
    print_table,
    show,
    silence,
)

if TYPE_CHECKING:
    from chainrule.evaluation.assessment import Assessment
    from chainrule.evaluation.photos import Readings
    from chainrule.evaluation.robustness import Robustness
    from chainrule.runs.evaluation import Evaluation

ORDER = 40

SHOWN = 12
"""Most mistakes listed by index."""
READABLE = 60
"""Classes of a printed matrix: of more it is neither read nor laid out in a second."""
FREQUENT = 20
"""Mistakes listed where there is no matrix."""


def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file.", autocompletion=completer(runs)
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="Data other than the run was trained with; all of them, or their test part.",
        ),
    ] = "",
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Draw the mistakes, the confusion matrix and the reliability diagram there.",
        ),
    ] = None,
    robust: Annotated[
        bool, typer.Option("--corrupted", help="Also measure on corrupted copies; half a minute.")
    ] = False,
    photos: Annotated[
        bool, typer.Option("--photos", help="Also measure on synthetic photos; about a minute.")
    ] = False,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure a network on the test images: accuracy with its interval, confusion, calibration.

    On MNIST's own test images a second accuracy leaves out the 15 disputed labels; read it, but
    never choose a network by it. A temperature is fitted on the images that the run held out, never
    on the test images.

    Example: chainrule evaluate mine --pictures pictures
    """
    from chainrule.runs.evaluation import evaluate_run

    found = evaluate_run(
        run,
        data=data,
        pictures=pictures,
        corrupted_copies=robust,
        photos=photos,
        offline=offline,
        say=silence if quiet else note,
        told=lambda found: print_json(found.as_json()) if json else _print(found),
    )
    if pictures and not json:
        show(f"{pictures}: {', '.join(Path(path).name for path in found.pictures)}")


def _print(evaluation: Evaluation) -> None:
    from chainrule.evaluation.assessment import headline

    found, names = evaluation.assessment, evaluation.classes
    show(headline(found))
    if evaluation.looks:
        show(evaluation.looks)
    if found.top_3 is not None:
        show(f"top-3 accuracy {100 * found.top_3:.2f} %")
    _print_tables(found, names)
    first = found.mistakes()[:SHOWN]
    if first:
        listed = ", ".join(f"{i} ({names[a]} read as {names[p]})" for i, a, p in first)
        which = (
            "mistakes"
            if len(first) == found.errors
            else f"first {SHOWN} of {found.errors:,} mistakes"
        )
        show(f"{which}, by index among the test {found.noun}: {listed}")
    if evaluation.undisputed is not None:
        show(
            f"mistakes among the {evaluation.disputed.size} disputed test labels: "
            f"{evaluation.disputed_errors}; without disputed labels: "
            f"{headline(evaluation.undisputed)}"
        )
    for line in evaluation.calibration.in_words().splitlines():
        show(line)
    if evaluation.robustness:
        print_corrupted(evaluation.robustness)
    if evaluation.photos:
        print_photos(evaluation.photos)


def _print_tables(found: Assessment, classes: tuple[str, ...]) -> None:
    print_table(
        "each class",
        ("class", "precision", "recall", "F1", found.noun, "predicted"),
        [
            (row["class"], *(_score(row[name]) for name in ("precision", "recall", "f1")),
             f"{row['support']:,}", f"{row['predicted']:,}")
            for row in found.per_class(classes)
        ],
    )  # fmt: skip
    if len(classes) > READABLE:
        print_table(
            "most frequent mistakes",
            ("actual", "predicted", "times"),
            [(classes[a], classes[p], f"{n:,}") for a, p, n in found.commonest_mistakes(FREQUENT)],
        )
        show(f"the whole confusion matrix of {len(classes)} classes: --json, or --pictures FOLDER")
        return
    print_table(
        "confusion: rows actual, columns predicted",
        ("", *classes),
        [
            (name, *(str(count) if count else "." for count in row))
            for name, row in zip(classes, found.confusion, strict=True)
        ],
    )


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def print_corrupted(found: Robustness) -> None:
    """Prints a table in percent: a row for each corruption, a column for each severity."""
    from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES

    show(f"clean: {100 * found.clean:.2f} % of {found.images:,} test images right")
    rows = [
        (name, CORRUPTIONS[name].span(), *(f"{100 * a:.2f}" for a in (*row, found.mean(name))))
        for name, row in found.accuracy.items()
    ]
    blank = [""] * (len(SEVERITIES) + 1)
    print_table(
        "accuracy in % on corrupted copies, by severity",
        ("corruption", "from 1 to 5", *map(str, SEVERITIES), "mean"),
        [*rows, ("mean", *blank, f"{100 * found.overall:.2f}")],
    )


def print_photos(found: Readings) -> None:
    """Prints two sentences: single digits, and rows."""
    from chainrule.digits.synthetic import LARGEST, SMALLEST
    from chainrule.evaluation.photos import IN_A_ROW

    low, high = (100 * end for end in found.interval)
    show(
        f"photos: {100 * found.accuracy:.2f} % of {found.photos:,} synthetic photos of one digit, "
        f"{SMALLEST} to {LARGEST} pixels, made of {found.digits:,} test images, "
        f"read correctly (95 % interval {low:.2f} to {high:.2f} "
        f"%); one digit was found on {found.found:,}"
    )
    show(
        f"photos of {IN_A_ROW} digits in a row: {found.rows_right} of {found.rows} read whole and "
        f"in order; all digits were found on {found.rows_found}"
    )

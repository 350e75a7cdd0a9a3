"""`chainrule evaluate`: how good a trained network is, where it errs, and how sure one can be."""

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
    silence,
)
from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
from chainrule.digits.synthetic import LARGEST, SMALLEST
from chainrule.evaluation.photos import IN_A_ROW, Readings
from chainrule.evaluation.robustness import Robustness

if TYPE_CHECKING:
    from chainrule.data.dataset import Dataset
    from chainrule.evaluation.assessment import Assessment
    from chainrule.evaluation.calibration import Calibration

SHOWN = 12
"""Mistakes that are listed by their index."""
DRAWN = 250
"""Mistakes that are drawn at most: ten in a row, a picture of 25 rows."""


def evaluate(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file.", autocompletion=completer(runs)
        ),
    ],
    data: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Other data than the run was trained with.")
    ] = "",
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Draw the mistakes, the confusion and the reliability there."
        ),
    ] = None,
    robust: Annotated[
        bool, typer.Option("--corrupted", help="Also measure on corrupted copies; half a minute.")
    ] = False,
    photos: Annotated[
        bool, typer.Option("--photos", help="Also measure on made-up photos; about a minute.")
    ] = False,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Measure a network on the test images: accuracy with its interval, confusion, calibration.

    On MNIST's own test images a second accuracy leaves out the 15 labels that people dispute; it is
    there to be read, never to choose a network by. A temperature is fitted on the images that the
    run held out, never on the test images.

    Example: chainrule evaluate mine --pictures pictures
    """
    from chainrule.data.label_errors import disputed
    from chainrule.evaluation.assessment import assess_saved, headline, without
    from chainrule.evaluation.calibration import calibrate
    from chainrule.runs.folder import data_of, held_out, read_run

    model, config = read_run(run)
    dataset = data_of(model, config, data, offline=offline, report=silence if quiet else note)
    folder = None if pictures is None else _folder(pictures)
    validation, reason = held_out(config, dataset)
    found = assess_saved(run, model, dataset)
    calibration = calibrate(model, found, validation, reason)
    doubtful = disputed(dataset)
    undisputed = without(found, doubtful) if doubtful.size else None
    drawn = [] if folder is None else _draw(folder, dataset, found, calibration)
    robustness = None
    if robust:
        from chainrule.evaluation.robustness import corrupted

        robustness = corrupted(model, dataset)
    readings = None
    if photos:
        from chainrule.cli.evaluate import print_photos
        from chainrule.evaluation.photos import read_photos

        readings = read_photos(model.predict_proba, dataset)
    if json:
        print_json(
            {
                "accuracy": found.accuracy,
                "interval": found.interval,
                "errors": found.errors,
                "confusion": found.confusion.tolist(),
                "per_class": found.per_class(dataset.classes),
                "mistakes": found.mistakes_in_full(),
                "without_disputed_labels": None
                if undisputed is None
                else {
                    "accuracy": undisputed.accuracy,
                    "interval": undisputed.interval,
                    "errors": undisputed.errors,
                    "disputed": doubtful.tolist(),
                    "disputed_errors": found.errors - undisputed.errors,
                },
                "calibration": calibration.as_json(),
                "corrupted": robustness and robustness.as_json(),
                "photos": readings and readings.as_json(),
                "pictures": drawn,
            }
        )
        return
    print(headline(found))
    print(f"{100 * found.top_3:.2f} % have the right class among the three most probable")
    _print_tables(found, dataset.classes)
    first = found.mistakes()[:SHOWN]
    if first:
        names = dataset.classes
        listed = ", ".join(f"{i} ({names[a]} read as {names[p]})" for i, a, p in first)
        print(f"first mistakes, by index: {listed}")
    if undisputed is not None:
        print(
            f"mistakes among the {doubtful.size} test labels that people dispute: "
            f"{found.errors - undisputed.errors}; without disputed labels: {headline(undisputed)}"
        )
    print(calibration.in_words())
    if robustness:
        print_corrupted(robustness)
    if readings:
        print_photos(readings)
    if folder is not None:
        print(f"{folder}: {', '.join(Path(path).name for path in drawn)}")


def _folder(path: Path) -> Path:
    """The folder, made if it is not there; ConfigError where it cannot be."""
    from chainrule.core.errors import ConfigError
    from chainrule.core.files import make_folder

    try:
        make_folder(path)
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte.
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"--pictures {path}: {why}; give a folder in one that is there") from None
    if not path.is_dir():
        raise ConfigError(f"--pictures {path}: a file has this name; give a folder")
    return path


def _draw(folder: Path, data: Dataset, found: Assessment, calibration: Calibration) -> list[str]:
    """The pictures of an evaluation; their paths."""
    from chainrule import plots

    figures = {
        "mistakes": plots.mistakes(
            data.test.images, found.labels, predicted=found.predicted, confidence=found.confidence,
            shape=data.shape, classes=data.classes, count=DRAWN,
        ),
        "reliability": plots.reliability(
            calibration.bins, after=calibration.after, temperature=calibration.temperature
        ),
        "confusion": plots.confusion(found.confusion, data.classes),
    }  # fmt: skip
    paths = [folder / f"{name}.png" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        plots.save(figure, path)
    return [str(path) for path in paths]


def _print_tables(found: Assessment, classes: tuple[str, ...]) -> None:
    s = found.scores
    print_table(
        "each class",
        ("class", "precision", "recall", "F1", "images"),
        [
            (name, f"{p:.4f}", f"{r:.4f}", f"{f:.4f}", f"{n:,}")
            for name, p, r, f, n in zip(
                classes, s.precision, s.recall, s.f1, s.support, strict=True
            )
        ],
    )
    print_table(
        "confusion: rows actual, columns predicted",
        ("", *classes),
        [
            (name, *(str(count) if count else "." for count in row))
            for name, row in zip(classes, found.confusion, strict=True)
        ],
    )


def print_corrupted(found: Robustness) -> None:
    """A table in percent: a row for each corruption, a column for each severity."""
    print(f"clean: {100 * found.clean:.2f} % of {found.images:,} test images right")
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
    """Two sentences: lone digits, and rows."""
    low, high = (100 * end for end in found.interval)
    print(
        f"photos: {100 * found.accuracy:.2f} % of {found.photos:,} made-up photos of one digit, "
        f"{SMALLEST} to {LARGEST} pixels, read rightly (95 % interval {low:.2f} to {high:.2f} %); "
        f"one digit was found on {found.found:,}"
    )
    print(
        f"photos of {IN_A_ROW} digits in a row: {found.rows_right} of {found.rows} read whole and "
        f"in order; all digits were found on {found.rows_found}"
    )

"""`chainrule evaluate`: how good a trained network is, where it errs, and how sure one can be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from chainrule.cli.calibration import Calibration
    from chainrule.cli.report import Assessment
    from chainrule.data.dataset import Dataset

SHOWN = 12
"""Mistakes that are listed by their index."""
DRAWN = 250
"""Mistakes that are drawn at most: ten in a row, a picture of 25 rows."""


def evaluate(
    run: Annotated[str, typer.Argument(help="A run's name, its folder, or a model file.")],
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
    from chainrule.cli.calibration import calibrate, held_out
    from chainrule.cli.report import assess_saved, headline, without
    from chainrule.cli.runs import data_of, read_run
    from chainrule.data.disputed import disputed

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
        from chainrule.cli.corrupted import corrupted, print_corrupted

        robustness = corrupted(model, dataset)
    readings = None
    if photos:
        from chainrule.cli.photos import print_photos, read_photos

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
    from chainrule.files import make_folder
    from chainrule.settings import ConfigError

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

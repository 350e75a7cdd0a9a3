"""Predictions of a saved run, on pictures or on test images of its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import ConfigError, DataError
from chainrule.core.places import check_file
from chainrule.data.dataset import DIGITS
from chainrule.data.load import Report
from chainrule.data.readers.images import SUFFIXES, grey
from chainrule.data.remarks import MOST_NAMED
from chainrule.data.table.files import names_a_table
from chainrule.digits.preprocess import Digit, read_photo, seen_by
from chainrule.nn.model_file import Model
from chainrule.runs.files import saving
from chainrule.runs.folder import RUNS, latest, read_run, say_caveat
from chainrule.runs.origin import data_of
from chainrule.runs.pictures import untold

SURE = 0.8
"""Default threshold: below this probability a digit is `not sure`."""


@dataclass(frozen=True)
class Detection:
    """Detection: one digit, and the probabilities of its classes."""

    digit: Digit
    probabilities: list[float]

    @property
    def best(self) -> int:
        """Most probable class."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """Probability of that class."""
        return self.probabilities[self.best]


@dataclass(frozen=True)
class Picture:
    """Picture: its name, and the digits detected on it, in reading order; or why none could be."""

    name: str
    detections: list[Detection]
    error: str = ""
    notes: tuple[str, ...] = ()
    """What was done to it or left out."""


@dataclass(frozen=True)
class Predictions:
    """Predictions for some pictures, and the names of the classes."""

    pictures: list[Picture]
    classes: tuple[str, ...]

    @property
    def failed(self) -> list[Picture]:
        """Pictures that could not be read."""
        return [picture for picture in self.pictures if picture.error]

    def as_json(self) -> dict[str, Any]:
        """Each digit with its picture, class, probabilities and box; errors, if any."""
        errors = [{"image": picture.name, "error": picture.error} for picture in self.failed]
        notes = [
            {"image": picture.name, "note": note}
            for picture in self.pictures
            for note in picture.notes
        ]
        return (
            ({"errors": errors} if errors else {})
            | ({"notes": notes} if notes else {})
            | {
                "predictions": [
                    {
                        "image": picture.name,
                        "digit": one.best if self.classes == DIGITS else self.classes[one.best],
                        "probabilities": one.probabilities,
                        "box": one.digit.box,
                        "line": one.digit.line,
                    }
                    for picture in self.pictures
                    for one in picture.detections
                ]
            }
        )


def predict_run(
    run: str,
    images: Sequence[Path] = (),
    *,
    index: Sequence[int] = (),
    show: Path | None = None,
    sure: float = SURE,
    offline: bool = False,
    say: Report,
    told: Callable[[Predictions], None] = untold,
) -> Predictions:
    """Predicts pictures, and test images by their index, with a run's network.

    `show` draws a single picture with its digits and the network's inputs. Of several pictures each
    answers for itself: one that cannot be read keeps its error. `told` hears the result before
    anything is drawn. Raises ConfigError, ModelFileError, DataError if there is a single picture
    and it cannot be read, and SaveError where the drawing cannot be written.
    """
    if show:
        check_file(show, ".png", option="--show")
    model, config = read_run(run)
    say_caveat(run, model, say)
    classes = model.labels
    if images and model.schema:
        raise ConfigError(
            f"{run} reads rows of a table, not pictures: give a file with the columns "
            f"{', '.join(model.schema.names[:MOST_NAMED])}"
        )
    pictures = [_picture(model, classes, path) for path in images]
    if index:
        pictures += [
            Picture(name, [_detection(model, digit) for digit in digits])
            for name, digits in _test_images(model, config, index, offline=offline, say=say)
        ]
    if len(pictures) == 1 and pictures[0].error:
        raise DataError(pictures[0].error)
    result = Predictions(pictures, classes)
    told(result)
    if show:
        with saving(show, "the picture (the predictions are whole)", remedy="then predict again"):
            _draw(show, images, pictures[0], classes=classes, sure=sure)
    return result


def run_and_pictures(
    run: str, images: Sequence[Path], *, say: Report
) -> tuple[str, Sequence[Path]]:
    """(run, pictures): the latest run if the first argument is a picture, or missing."""
    given = Path(run).suffix.lower() in SUFFIXES or names_a_table(run)
    if run and not (given and not (RUNS / run).is_dir()):
        return run, images
    newest = latest()
    say(f"read by the newest run, {newest}")
    return newest, [Path(run), *images] if run else images


def in_folders(paths: Sequence[Path], *, say: Report) -> list[Path]:
    """The paths, with the pictures in a folder, by name, for the folder itself.

    Raises DataError for a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(path.iterdir())
        pictures = [entry for entry in inside if entry.suffix.lower() in SUFFIXES]
        if not pictures:
            raise DataError(f"{path} holds no PNG or JPEG pictures; give a folder that does.")
        if others := [entry.name for entry in inside if entry not in pictures]:
            more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
            say(f"{path}: left out: {', '.join(others[:MOST_NAMED])}{more}")
        found += pictures
    return found


def _picture(model: Model, classes: tuple[str, ...], path: Path) -> Picture:
    """Picture of a file: its digits, or the picture as a whole; or why it cannot be read."""
    try:
        image = read_photo(path)
    except DataError as error:
        return Picture(str(path), [], str(error))
    try:
        seen = seen_by(image, model.shape, model.form, digits=classes == DIGITS)
    except DataError as error:
        return Picture(str(path), [], f"{path}: {error}")
    return Picture(str(path), [_detection(model, digit) for digit in seen.digits], "", seen.notes)


def _test_images(
    model: Model, config: dict[str, Any], index: Sequence[int], *, offline: bool, say: Report
) -> list[tuple[str, list[Digit]]]:
    data = data_of(model, config, "", offline=offline, report=say)
    images = data.test.images
    for i in index:
        if not 0 <= i < len(images):
            raise ConfigError(
                f"--index {i}: there are {len(images):,} test images, give 0 to {len(images) - 1}"
            )
    return [
        (f"test image {i}", [Digit((0, 0, *data.shape), images[i].reshape(data.shape))])
        for i in index
    ]


def _detection(model: Model, digit: Digit) -> Detection:
    probabilities = model.answers(digit.pixels.reshape(1, -1))[0]
    return Detection(digit, [float(p) for p in probabilities])


def _draw(
    path: Path,
    photos: Sequence[Path],
    picture: Picture,
    *,
    classes: tuple[str, ...],
    sure: float,
) -> None:
    """Writes the picture of the detections."""
    from chainrule.plots.detected_digits import detections
    from chainrule.plots.style import save

    found = picture.detections
    if photos:
        photo = read_photo(photos[0])
        pixels = np.asarray(photo) if photo.mode == "RGB" else grey(photo)
    else:
        pixels = np.rint(255 * found[0].digit.pixels).astype(np.uint8)
    figure = detections(
        pixels,
        [one.digit.box for one in found],
        pixels=np.stack([one.digit.pixels for one in found]),
        labels=[classes[one.best] for one in found],
        confidence=[one.confidence for one in found],
        sure=sure,
        name=Path(picture.name).name,
        what="digit" if classes == DIGITS else "drawing",
    )
    save(figure, path)

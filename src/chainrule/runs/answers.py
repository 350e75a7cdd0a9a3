"""Answers as a file: the predictions for pictures or rows as CSV, also in Kaggle's form."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from chainrule.core.errors import ConfigError, SaveError
from chainrule.core.files import write_atomically
from chainrule.core.places import check_file
from chainrule.core.tables import Table, remedy
from chainrule.data.readers.columns import NUMBER
from chainrule.runs.predictions import Predictions
from chainrule.runs.rows import RowPredictions

Answers = Predictions | RowPredictions
COMMANDS = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet takes for a formula."""


def as_csv(found: Answers) -> Iterable[Sequence[object]]:
    """A line of names, then one for each row, or digit of a picture, with all probabilities."""
    probabilities = [f"P({name})" for name in found.classes]
    if isinstance(found, RowPredictions):
        yield ("row", "prediction", "probability", *probabilities)
        for line, label, row in zip(
            found.lines.tolist(), found.labels, found.probabilities.tolist(), strict=True
        ):
            yield (line, _harmless(label), max(row), *row)
        return
    yield ("image", "line", "prediction", "probability", *probabilities)
    for picture in found.pictures:
        for one in picture.detections:
            label = _harmless(found.classes[one.best])
            row = (one.digit.line + 1, label, one.confidence, *one.probabilities)
            yield (_harmless(picture.name), *row)


def as_kaggle(found: Answers) -> Iterable[Sequence[object]]:
    """ImageId,Label: the number of each row, or picture, from 1, and its class."""
    yield ("ImageId", "Label")
    if isinstance(found, RowPredictions):
        yield from zip(found.numbers.tolist(), map(_harmless, found.labels), strict=True)
        return
    for number, picture in enumerate(found.pictures, 1):
        if len(picture.detections) > 1:
            raise ConfigError(
                f"--format kaggle: {picture.name} shows {len(picture.detections)} digits, and it "
                "has one label an image; use --format csv"
            )
        for one in picture.detections:
            yield number, _harmless(found.classes[one.best])


FORMATS = Table("format", {"csv": as_csv, "kaggle": as_kaggle})


def check_output(path: Path, format: str) -> None:
    """Raises ConfigError for a format that is none, and where the file could not be written."""
    if format not in FORMATS:
        raise ConfigError(f"--format {format}: {remedy(format, FORMATS)}")
    check_file(path, option="--output")


def write(path: Path, found: Answers, format: str) -> None:
    """Writes the answers; SaveError where that fails."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(FORMATS[format](found))
    try:
        write_atomically(path, text.getvalue().encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise SaveError(
            f"--output {path}: {error.strerror or error}; make room, then again"
        ) from None


def _harmless(name: str) -> str:
    """A name that no spreadsheet takes for a formula: with an apostrophe before it."""
    if name.startswith(COMMANDS) and not NUMBER.fullmatch(name.encode()):
        return f"'{name}"
    return name

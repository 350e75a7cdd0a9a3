"""Evaluation of saved runs: one on its test images, or two compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.core.arrays import Array, Int
from chainrule.core.errors import DataError
from chainrule.core.files import make_folder
from chainrule.core.places import check_file, check_folder
from chainrule.data.dataset import Dataset
from chainrule.data.label_errors import disputed
from chainrule.data.load import Report
from chainrule.evaluation.assessment import Assessment, assess_saved, without
from chainrule.evaluation.calibration import Calibration, calibrate
from chainrule.evaluation.comparison import Comparison, check_alike, compare
from chainrule.evaluation.photos import Readings, read_photos
from chainrule.evaluation.robustness import Robustness, corrupted
from chainrule.evaluation.views import looks
from chainrule.runs.files import saving
from chainrule.runs.folder import read_run, say_caveat
from chainrule.runs.origin import data_of, held_out, silent
from chainrule.runs.pictures import untold

MISTAKES = "mistakes"
PICTURES = (MISTAKES, "reliability", "confusion")
DRAWN = 250
"""Most mistakes drawn: 25 rows of ten."""


@dataclass(frozen=True)
class Evaluation:
    """Evaluation of a network: accuracy, mistakes, calibration, and robustness on request."""

    classes: tuple[str, ...]
    assessment: Assessment
    disputed: Int[Array, " D"]
    """Indices of the disputed test labels."""
    undisputed: Assessment | None
    """The same predictions without these; None where there are none."""
    calibration: Calibration
    robustness: Robustness | None
    photos: Readings | None
    pictures: list[str]
    """Paths of the pictures."""
    looks: str = ""
    """How new data look beside those of training, if otherwise."""

    def as_json(self) -> dict[str, Any]:
        """Everything."""
        found = self.assessment
        return {
            "images": len(found.labels),
            "accuracy": found.accuracy,
            "interval": found.interval,
            "errors": found.errors,
            "beats_guessing": found.beats_guessing,
            "top_3": found.top_3,
            "confusion": found.confusion.tolist(),
            "per_class": found.per_class(self.classes),
            "mistakes": found.mistakes_in_full(),
            "without_disputed_labels": self._undisputed_as_json(),
            "calibration": self.calibration.as_json(),
            "corrupted": self.robustness and self.robustness.as_json(),
            "photos": self.photos and self.photos.as_json(),
            "pictures": self.pictures,
            "looks": self.looks or None,
        }

    def _undisputed_as_json(self) -> dict[str, Any] | None:
        if self.undisputed is None:
            return None
        return {
            "images": len(self.undisputed.labels),
            "accuracy": self.undisputed.accuracy,
            "interval": self.undisputed.interval,
            "errors": self.undisputed.errors,
            "disputed": self.disputed.tolist(),
            "disputed_errors": self.disputed_errors,
        }

    @property
    def disputed_errors(self) -> int:
        """Mistakes among the disputed labels."""
        return self.assessment.errors - self.undisputed.errors if self.undisputed else 0


def evaluate_run(
    run: str,
    *,
    data: str = "",
    pictures: Path | None = None,
    corrupted_copies: bool = False,
    photos: bool = False,
    offline: bool = False,
    say: Report,
    told: Callable[[Evaluation], None] = untold,
) -> Evaluation:
    """Evaluates the network of a run or a model file on the test images.

    `data` names data other than the run was trained with; pictures are drawn into the folder
    `pictures`, if given, after `told` has heard the result. Raises ConfigError, DataError,
    ModelFileError, and SaveError for a picture.
    """
    if pictures is not None:
        _check_folder(pictures)
    model, config = read_run(run)
    say_caveat(run, model, say)
    dataset = data_of(model, config, data, offline=offline, report=say)
    validation, reason = held_out(config, dataset)
    found = assess_saved(run, model, dataset)
    calibration = calibrate(model, found, validation, reason)
    doubtful = disputed(dataset)
    result = Evaluation(
        classes=dataset.classes,
        assessment=found,
        disputed=doubtful,
        undisputed=without(found, doubtful) if doubtful.size else None,
        calibration=calibration,
        robustness=corrupted(model, dataset) if corrupted_copies else None,
        photos=read_photos(model.answers, dataset, form=model.form) if photos else None,
        looks=looks(model, dataset) if data else "",
        pictures=[] if pictures is None else [str(path) for path in _paths(pictures, dataset)],
    )
    told(result)
    if pictures is not None:
        again = "then evaluate again"
        with saving(pictures, "a picture (the figures are whole)", remedy=again):
            _draw(pictures, dataset, found, calibration)
    return result


def compare_runs(
    run_a: str, run_b: str, *, data: str = "", offline: bool = False, say: Report
) -> Comparison:
    """Compares two runs on the test images of the first, or on other data.

    Raises ConfigError and DataError where the runs do not match, ModelFileError.
    """
    (a, config_a), (b, config_b) = read_run(run_a), read_run(run_b)
    check_alike(run_a, a, run_b, b)
    say_caveat(run_a, a, say)
    say_caveat(run_b, b, say)
    dataset = data_of(a, config_a or config_b, data, offline=offline, report=say)
    if not data:
        _check_same_test(run_a, run_b, config_b, dataset)
    elif dataset.checksums != config_b.get("checksums", dataset.checksums):
        # Of data that one of them was trained with, only what it did not learn counts.
        theirs = data_of(b, config_b, data, offline=offline, report=silent)
        if theirs.checksums == config_b["checksums"]:
            say(f"{run_b} was trained with these data: {len(theirs.test.labels):,} test images")
            dataset = theirs
    return compare(run_a, a, run_b, b, dataset)


def _check_same_test(run_a: str, run_b: str, config: dict[str, Any], data: Dataset) -> None:
    """Raises DataError unless the second run has the same test images."""
    sums = config.get("checksums", data.checksums)
    parts = ("test_images", "test_labels")
    if not isinstance(sums, dict) or any(sums.get(part) != data.checksums[part] for part in parts):
        raise DataError(
            f"{run_b}: its test images are not those of {run_a} ({data.source}), the checksums "
            "differ; give the data to compare them on with --data"
        )


def _check_folder(folder: Path) -> None:
    """Raises ConfigError unless the pictures can be written into the folder."""
    check_folder(folder, option="--pictures")
    if folder.is_dir():
        for name in PICTURES:
            check_file(folder / f"{name}.png", option="--pictures")


def _paths(folder: Path, data: Dataset) -> list[Path]:
    """Paths of the pictures: of the rows of a table no mistakes are drawn."""
    return [folder / f"{name}.png" for name in PICTURES if not (data.schema and name == MISTAKES)]


def _draw(folder: Path, data: Dataset, found: Assessment, calibration: Calibration) -> None:
    """Draws the pictures of an evaluation."""
    from chainrule.plots.confusion_matrix import confusion
    from chainrule.plots.examples import mistakes
    from chainrule.plots.reliability_diagram import reliability
    from chainrule.plots.style import save

    make_folder(folder)
    figures: dict[str, Callable[[], Any]] = {
        MISTAKES: lambda: mistakes(
            data.test.images, found.labels, predicted=found.predicted, confidence=found.confidence,
            shape=data.shape, classes=data.classes, count=DRAWN,
        ),
        "reliability": lambda: reliability(
            calibration.bins, after=calibration.after, temperature=calibration.temperature,
            fitted_on=calibration.fitted_on,
        ),
        "confusion": lambda: confusion(found.confusion, data.classes),
    }  # fmt: skip
    for path in _paths(folder, data):
        save(figures[path.stem](), path)

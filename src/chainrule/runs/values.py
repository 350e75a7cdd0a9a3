"""Values of a run's files: what each figure of report.json, each table of config.toml may be.

Whoever made a folder chose what stands in it, whole or not. A figure is believed where it follows
its rule, and where it fits the others; elsewhere it is left out and said, or the file is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.rules import Flag, ListOf, Rule, Table, Text, Value, short
from chainrule.data.dataset import MOST_CLASSES
from chainrule.evaluation.assessment import MOST_LISTED
from chainrule.experiments.settings import RULES, as_today, checked, read_tables
from chainrule.training.checkpoint_values import COUNT, RATE, SECONDS

SHARE, WORDS = Value(float, 0, 1), Text(1000)
NONE_OR_COUNT = Value(int, 0, 10**18 - 1, absent=True)
ROWS = Value(int, 0, 10**9)
"""Images of a part."""
CLASS = Value(int, 0, MOST_CLASSES - 1)
CONFUSION = ListOf(ListOf(ROWS, MOST_CLASSES), MOST_CLASSES)
CHANGE = Table({"step": COUNT, "text": WORDS, "factor": RATE})
MEMBER = Table(
    {"run": WORDS, "recipe": WORDS, "seed": COUNT, "errors": ROWS, "test_error": SHARE,
     "beats_guessing": Flag()}
)  # fmt: skip
CLAIM = Table(dict.fromkeys(("claim", "published", "measured", "verdict", "note"), WORDS))
FIGURES: dict[str, Rule] = {
    "recipe": WORDS, "seed": COUNT, "training_images": ROWS, "validation_images": ROWS,
    "test_accuracy": SHARE, "test_error": SHARE, "test_images": ROWS, "beats_guessing": Flag(),
    "warning": Text(1000, absent=True), "train_seconds": SECONDS, "total_seconds": SECONDS,
    "epochs": COUNT, "planned_epochs": COUNT, "best_epoch": NONE_OR_COUNT, "run": WORDS,
    "parameters": COUNT, "ending": Text(pattern="[a-z]{1,20}"), "interval": ListOf(SHARE, 2, 2),
    "errors": ROWS, "confusion": CONFUSION, "mistakes": ListOf(ListOf(ROWS, 3, 3), MOST_LISTED),
    "mistakes_left_out": ROWS, "by_hand": ListOf(CHANGE, 10_000),
    "members": ListOf(MEMBER, 256), "mean_error": SHARE,
    "sd_error": Value(float, 0, 1, absent=True), "claims": ListOf(CLAIM, 1000), "ok": Flag(),
    "suggestion": RATE, "rates": ListOf(RATE, 10**6),
    "losses": ListOf(Value(), 10**6),
}  # fmt: skip
"""Figures of report.json: of a run, a committee, a reproduction, a search for a learning rate."""
ACCURACY = ("test_accuracy", "test_error", "errors", "test_images", "interval", "confusion")
"""Figures that follow from each other."""
SLACK = 1e-6
"""Of figures that were rounded."""

TEXT = Text(8192)
TABLES: dict[str, Table] = {
    "run": Table({"recipe": TEXT, "format": COUNT, "start": TEXT, "start_sha256": TEXT}),
    "data": Table(
        {"source": TEXT, "test": TEXT, "label": TEXT, "missing": TEXT,
         "classes": ListOf(TEXT, MOST_CLASSES)}
    ),
    "checksums": Table(other=TEXT),
    "environment": Table(other=TEXT),
    "committee": Table({"members": ListOf(TEXT, 256)}),
    "settings": Table(),
}  # fmt: skip
"""Tables of a run's config.toml; the rules of settings are in `experiments.settings`."""


def believed(report: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(figures of a report that follow their rules and fit each other, what is wrong with others).

    What has no rule here is left out in silence: no program of ours reads it.
    """
    known = {name: value for name, value in report.items() if name in FIGURES}
    broken = dict(Table(FIGURES).broken(known))
    good = {name: value for name, value in known.items() if name not in broken}
    said = list(broken.values())
    if odd := list(_contradictions(good)):
        good = {name: value for name, value in good.items() if name not in ACCURACY}
        said += odd
    return good, said


def _contradictions(figures: Mapping[str, Any]) -> Iterator[str]:
    """What cannot be true together, in words."""
    images, errors = figures.get("test_images"), figures.get("errors")
    error, accuracy = figures.get("test_error"), figures.get("test_accuracy")
    interval, matrix = figures.get("interval"), figures.get("confusion")
    if error is not None and accuracy is not None and abs(1 - error - accuracy) > SLACK:
        yield f"test_accuracy {accuracy:g} and test_error {error:g} are not 1 together"
    if images is not None and errors is not None:
        if errors > images:
            yield f"errors are {errors:,} of {images:,} test_images"
        elif accuracy is not None and abs(1 - errors / max(images, 1) - accuracy) > SLACK:
            yield f"test_accuracy is {accuracy:g}, and {errors:,} of {images:,} are errors"
    if (
        interval
        and accuracy is not None
        and (not interval[0] - SLACK <= accuracy <= interval[1] + SLACK)
    ):
        yield f"test_accuracy {accuracy:g} is not in its interval"
    if matrix:
        if any(len(row) != len(matrix) for row in matrix):
            yield "confusion is no square"
        elif images is not None and sum(map(sum, matrix)) != images:
            yield f"confusion has {sum(map(sum, matrix)):,} images of {images:,} test_images"
        elif errors is not None:
            wrong = sum(map(sum, matrix)) - sum(row[k] for k, row in enumerate(matrix))
            if wrong != errors:
                yield f"confusion has {wrong:,} errors of {errors:,}"


def read_config(path: Path, *, follow_links: bool = False) -> dict[str, Any]:
    """The tables of a run's config.toml, as `read_tables` gives them.

    Raises ConfigError, naming the value and its rule.
    """
    config = read_tables(path, follow_links=follow_links)
    for name, rule in TABLES.items():
        table = config.get(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: [{name}] is {short(table)}, not a table; mend it")
        for _, what in rule.broken(table):
            raise ConfigError(f"{path}: [{name}] {what}; mend it")
    for name, value in as_today(config.get("settings", {})).items():
        if name in RULES:
            try:
                checked(name, value)
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}") from None
    return config

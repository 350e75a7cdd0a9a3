"""Data origin of a run: what --data named, as recorded in config.toml."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import ConfigError, DataError
from chainrule.core.schema import Schema
from chainrule.core.tables import remedy
from chainrule.data.catalog import SOURCES
from chainrule.data.dataset import Dataset, Examples, noun
from chainrule.data.labels import first_number
from chainrule.data.load import Report, load
from chainrule.data.remarks import MOST_NAMED
from chainrule.data.table.files import is_parquet, is_table
from chainrule.experiments.settings import BEFORE, IN_ORDER, checked, text
from chainrule.experiments.split import split
from chainrule.nn.model_file import Model
from chainrule.runs.values import TABLES, read_config


@dataclass(frozen=True)
class Origin:
    """Data origin: a known name or a path, and perhaps another path for the test part."""

    source: str = "mnist"
    test: str = ""
    classes: tuple[str, ...] = ()
    """Names of the labels 0, 1, ...; empty: digits, or folder names."""
    label: str = ""
    """Column of the labels, if it is a table."""
    missing: str = ""
    """What becomes of empty cells of a table; empty: the mean of their column."""

    def as_config(self) -> dict[str, Any]:
        """Table [data] of config.toml, with absolute paths."""
        paths = {} if self.source in SOURCES else {"source": self.source, "test": self.test}
        absolute = {key: str(Path(path).absolute()) for key, path in paths.items() if path}
        table = {key: getattr(self, key) for key in ("label", "missing") if getattr(self, key)}
        return {"source": self.source} | absolute | {"classes": self.classes} | table

    def check(self) -> None:
        """Raises ConfigError for a name that config.toml could not hold, as it is no text."""
        for value in self.as_config().values():
            text(value)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Origin:
        """Origin from a configuration that `as_config` wrote."""
        table = config.get("data", {})
        classes = tuple(table.get("classes", ()))
        words = {key: table.get(key, "") for key in ("test", "label", "missing")}
        return cls(table.get("source", "mnist"), classes=classes, **words)


MNIST = Origin()


def usual_recipe(origin: Origin, images: str = "fast") -> str:
    """The recipe for data of this origin, where none is named: `table`, or `images` for images."""
    if origin.source in SOURCES:
        return images
    told = origin.label or origin.missing or is_parquet(origin.source)
    return "table" if told or is_table(origin.source) else images


def origin_of(path: Path) -> tuple[str, Origin]:
    """(recipe, data origin) of a run, from its config.toml."""
    config = read_config(path, follow_links=True)
    return config.get("run", {}).get("recipe", "custom"), Origin.from_config(config)


def named_in(path: Path) -> tuple[str, Origin, dict[str, str]]:
    """(recipe, data origin, checksums) in a settings file; ("", MNIST, {}) if settings are all.

    Raises ConfigError for a table that a run does not write.
    """
    config = read_config(path, follow_links=True)
    if "settings" not in config:
        return "", MNIST, {}
    own = [name for name in TABLES if name != "committee"]
    for name in config:
        if name not in own:
            raise ConfigError(f"{path}: [{name}] is not a table of a run: {remedy(name, own)}")
    return *origin_of(path), config.get("checksums", {})


def load_data(
    origin: Origin,
    *,
    offline: bool,
    report: Report,
    checksums: Mapping[str, str] | None = None,
    split: bool = True,
    white: int = 0,
    schema: Schema | None = None,
) -> Dataset:
    """Data set given by --data and what belongs to it; the other arguments as in `load`.

    Raises DataError if `checksums` are given and the data have others.
    """
    if origin.source in SOURCES and not origin.test:
        data = load(
            origin.source, label=origin.label, missing=origin.missing, offline=offline or None,
            report=report,
        )  # fmt: skip
    else:
        test, classes = origin.test or None, origin.classes or None
        data = load(
            path=origin.source, test_path=test, classes=classes, split=split, white=white,
            label=origin.label, missing=origin.missing, schema=schema, report=report,
        )  # fmt: skip
    if checksums and checksums != data.checksums:
        raise DataError(
            f"{data.source}: not the data that the configuration names, the checksums differ; "
            "put them back, or name the data to train on with --data"
        )
    return data


def data_of(
    model: Model, config: dict[str, Any], source: str, *, offline: bool, report: Report
) -> Dataset:
    """Evaluation data of a model: `source` if given, else the data it was trained with.

    Of a `source` in one part all examples are the test part, unless the model was trained with
    these very data. Raises DataError where they do not fit the model, or have changed.
    """
    trained_with = Origin.from_config(config)
    if source:
        numbers = model.classes if first_number(model.classes) is not None else ()
        classes = model.classes if model.schema else trained_with.classes or numbers
        origin = replace(trained_with, source=source, test="", classes=classes)
        return _given(model, origin, config.get("checksums"), offline=offline, report=report)
    data = load_data(trained_with, offline=offline, report=report)
    if config.get("checksums", data.checksums) != data.checksums:
        raise DataError(
            f"{data.source}: not the data that the run was trained with, the checksums differ; "
            "give the data to measure on with --data"
        )
    check_fit(model, data)
    return data


def _given(
    model: Model, origin: Origin, checksums: Any, *, offline: bool, report: Report
) -> Dataset:
    """Evaluation data given by --data, and a word about which of them are used."""
    white = model.preprocessing.white if model.preprocessing else 0
    data = load_data(
        origin, offline=offline, report=report, split=False, white=white, schema=model.schema
    )
    one_part = data.train is data.test
    checksums = checksums if isinstance(checksums, dict) else {}
    if one_part and checksums:
        with suppress(DataError):  # what cannot be trained on was not
            divided = load_data(origin, offline=offline, report=silent, white=white)
            if divided.checksums == checksums:
                data, one_part = divided, False
    data = _by_name(model, data)
    check_fit(model, data)
    count, others = len(data.test.labels), len(data.train.labels)
    if one_part:
        known = checksums.get("train_images") == data.checksums["train_images"]
        seen = f", the {data.noun} it was trained on" if known else ""
        report(f"all {count:,} {data.noun} of {data.source} are measured on{seen}")
    elif data.checksums == checksums:
        report(
            f"{data.source}: the data that the network was trained with, so only the {count:,} "
            f"{data.noun} held out as test are measured on"
        )
    else:
        report(
            f"{data.source}: its test part of {count:,} {data.noun} is measured on, not the other "
            f"{others:,}"
        )
    return data


def _by_name(model: Model, data: Dataset) -> Dataset:
    """Data with the labels of the network's classes, where those of the data are some of these.

    Raises DataError where both have names that are words, and they differ.
    """
    mine, theirs = model.classes, data.classes
    if not mine or mine == theirs or first_number(theirs) == 0:
        return data
    if strange := [name for name in theirs if name not in mine]:
        raise DataError(
            f"{data.source}: the class {strange[0]!r} is none that the network knows, which are "
            f"{', '.join(mine[:MOST_NAMED])}{', ...' * (len(mine) > MOST_NAMED)}; give the data it "
            "was made for, or name the sub-folders as there"
        )
    where = np.array([mine.index(name) for name in theirs])
    train, test = (Examples(part.images, where[part.labels]) for part in (data.train, data.test))
    return replace(data, train=train, test=test, classes=mine)


def silent(line: str) -> None:
    """Discards a line."""


def check_fit(model: Model, data: Dataset) -> None:
    """Raises DataError unless the network has these inputs and classes."""
    inputs, classes = model.inputs, model.outputs
    if (model.schema is None) != (data.schema is None):
        raise DataError(
            f"{data.source}: {data.noun}, and the network reads {noun(model.schema)}; give the "
            "data it was made for"
        )
    if data.test.images.shape[1] != inputs or len(data.classes) != classes:
        raise DataError(
            f"{data.source}: images of {data.test.images.shape[1]} pixels in {len(data.classes)} "
            f"classes, the network takes {inputs} pixels and has {classes} classes; "
            "give the data it was made for"
        )


def held_out(config: dict[str, Any], data: Dataset) -> tuple[Examples | None, str]:
    """(examples that a run held out from training, or None; why there are none).

    Chosen by the same function as in `experiments.job.prepare`. Raises ConfigError where the run's
    config.toml cannot be right.
    """
    settings, sums = config.get("settings"), config.get("checksums")
    if not isinstance(settings, dict) or not isinstance(sums, dict):
        return None, "without a complete config.toml the held-out images are unknown"
    chosen = {name: checked(name, settings.get(name, 0)) for name in ("validation", "examples")}
    if not chosen["validation"]:
        return None, f"training held out no {data.noun}; to hold some out: train --validation 5000"
    if any(sums.get(part) != data.checksums[part] for part in ("train_images", "train_labels")):
        return None, f"the {data.noun} that training held out are not part of these data"
    chosen["split"] = checked("split", settings.get("split", BEFORE["split"]))
    if chosen["split"] != IN_ORDER and not (chosen["split"] and "seed" in settings):
        return None, f"the members of the committee held out different {data.noun}"
    chosen["seed"] = checked("seed", settings.get("seed", 0))
    images, labels = data.train
    try:
        rows = split(labels, chosen).validation
    except ConfigError as error:
        raise ConfigError(f"config.toml: {error}: restore it") from None
    return Examples(images[rows], labels[rows]), ""

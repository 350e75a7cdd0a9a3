"""Readers under test, each with its mutations, its call, and the errors it may raise."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule.core.errors import ConfigError, DataError, ModelFileError
from chainrule.data.dataset import Found, Part
from chainrule.data.readers import formats
from chainrule.data.readers.archives import gunzip, read_npz
from chainrule.data.readers.idx import read_idx
from chainrule.data.readers.images import grey, read_picture
from chainrule.data.readers.tabular import read_arff, read_csv
from chainrule.digits.preprocess import read_image
from chainrule.experiments.recipes import combine
from chainrule.nn.model_file import load_model
from chainrule.training.checkpoint import read_checkpoint
from stress.fuzz import pickled, pictured, sealed_files, seeds, tables
from stress.fuzz.dice import Dice, spliced

INFLATED = 1 << 20


@dataclass(frozen=True)
class Reader:
    """Something that turns a file into what the library works with, or refuses it."""

    make: Callable[[Dice], bytes]
    """One more file."""
    read: Callable[[bytes, Path], object]
    """Reads these bytes; the path is free for those that read from a disk."""
    error: type[Exception]
    """What a refusal raises, and nothing else."""
    good: Callable[[], tuple[bytes, ...]]
    """Files that are read."""


def sound(part: Part) -> None:
    """Holds an accepted part to what the rest of the library takes for granted."""
    images, labels = part.images, part.labels
    assert images.ndim == 3
    assert images.shape[0] == len(labels)
    assert images.dtype == np.uint8 or (
        images.dtype == np.float32 and ((images >= 0) & (images <= 1)).all()
    )
    assert labels.dtype == np.int64


def both(found: Found) -> None:
    """Holds both parts to `sound`."""
    sound(found.train)
    if found.test:
        sound(found.test)


def _idx(data: bytes, _path: Path) -> None:
    assert read_idx(data, "a").dtype == np.uint8


def _gzip(data: bytes, _path: Path) -> None:
    assert len(gunzip(data, INFLATED, "a")) <= INFLATED


def _npz(data: bytes, _path: Path) -> None:
    both(formats.from_npz(read_npz(data, "a", formats.KERAS_ARRAYS), "a"))


def _pickle(data: bytes, _path: Path) -> None:
    both(formats.from_pickle(data, "a"))


def _csv(data: bytes, _path: Path) -> None:
    sound(read_csv(data, "a", classes=10))


def _arff(data: bytes, _path: Path) -> None:
    sound(read_arff(data, "a", classes=10))


def _picture(data: bytes, path: Path) -> None:
    """By the way of a data set, or by that of a photo to be predicted: each half of the files."""
    path.write_bytes(data)
    if zlib.crc32(data) % 2:
        assert grey(read_picture(path)).dtype == np.uint8
    else:
        image = read_image(path)
        assert image.shape == (28, 28)
        assert np.isfinite(image).all()


def _file(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    both(formats.read(path))


def _model(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    model = load_model(path)
    assert all(np.isfinite(member.parameters).all() for member in model.members)


def _snapshot(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    assert isinstance(read_checkpoint(path).settings, dict)


def _config(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    settings, _ = combine(file=path)
    assert settings.layers


def _made(
    good: Callable[[], tuple[bytes, ...]], how: Callable[[bytes, Dice], bytes]
) -> Callable[[Dice], bytes]:
    """One of the good files damaged; now and then two of them in one."""

    def make(dice: Dice) -> bytes:
        files = good()
        if dice.maybe(0.05):
            return spliced(dice.one(files), dice.one(files), dice)
        return how(dice.one(files), dice)

    return make


def _whole_npz() -> tuple[bytes, ...]:
    return (tables.zipped(list(seeds.npz())),)


def _zipped() -> tuple[bytes, ...]:
    return tuple(gzip.compress(data, mtime=0) for data in seeds.tables())


def _any(dice: Dice) -> bytes:
    """A file for the reader of all formats: of any of them, at times gzipped."""
    data = READERS[dice.one(("idx", "npz", "pickle", "csv", "arff", "picture"))].make(dice)
    return tables.packed(data, dice) if dice.maybe() else data


READERS: dict[str, Reader] = {
    "idx": Reader(_made(seeds.idx, tables.idx), _idx, DataError, seeds.idx),
    "gzip": Reader(_made(seeds.tables, tables.packed), _gzip, DataError, _zipped),
    "npz": Reader(lambda dice: tables.npz(list(seeds.npz()), dice), _npz, DataError, _whole_npz),
    "pickle": Reader(_made(seeds.pickles, pickled.pickled), _pickle, DataError, seeds.pickles),
    "csv": Reader(_made(seeds.tables, tables.text), _csv, DataError, seeds.tables),
    "arff": Reader(_made(seeds.attributes, tables.text), _arff, DataError, seeds.attributes),
    "picture": Reader(_made(seeds.pictures, pictured.picture), _picture, DataError, seeds.pictures),
    "file": Reader(_any, _file, DataError, seeds.tables),
    "model": Reader(_made(seeds.models, sealed_files.sealed), _model, ModelFileError, seeds.models),
    "snapshot": Reader(
        _made(seeds.snapshots, sealed_files.sealed), _snapshot, ModelFileError, seeds.snapshots
    ),
    "config": Reader(
        _made(seeds.configs, sealed_files.config), _config, ConfigError, seeds.configs
    ),
}

"""Caches of data sets on this disk: our own, and those of other tools."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from chainrule.core.errors import DataError
from chainrule.core.files import expanded, home, write_atomically
from chainrule.data.catalog import Source
from chainrule.data.dataset import Dataset, Found, assemble
from chainrule.data.readers.archives import read_file
from chainrule.data.readers.formats import read
from chainrule.data.readers.idx import FILES, LARGEST_IDX, read_pair, write_idx


class Place(NamedTuple):
    """Possible location of a data set on this disk: the tool that stores it there, and the path."""

    tool: str
    path: Path


def cache_folder() -> Path:
    """Our cache: $CHAINRULE_HOME, else $XDG_CACHE_HOME/chainrule, else the platform's.

    Raises OSError where there is none: no such variable, and no home folder.
    """
    if ours := os.environ.get("CHAINRULE_HOME"):
        return expanded(ours)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return expanded(caches) / "chainrule"
    if not _has_cache():
        raise OSError(errno.ENOENT, "this user has no home folder; set CHAINRULE_HOME", "the cache")
    import pooch  # Only here: slow to import, and not needed once the data are on this disk.

    return Path(pooch.os_cache("chainrule"))


def _has_cache() -> bool:
    return any(map(os.environ.get, ("CHAINRULE_HOME", "XDG_CACHE_HOME"))) or home() is not None


def places(name: str, source: Source) -> list[Place]:
    """Locations to search, in this order, whether or not they exist.

    * our cache: `<cache_folder()>/<name>/`;
    * Keras: `$KERAS_HOME/datasets`, else `~/.keras/datasets`;
    * torchvision: `MNIST/raw` (or FashionMNIST, KMNIST) in `./data`, `.`, `~/data`,
      `~/.cache/torchvision` and `~/.cache/torch/datasets`, as torchvision has no default folder;
    * scikit-learn: `openml/openml.org/` in `$SCIKIT_LEARN_DATA`, else in `~/scikit_learn_data`.

    A user without a home folder has those outside it only.
    """
    mine = home()
    roots = [Path("data"), Path()]
    if mine:
        roots += [mine / "data", mine / ".cache/torchvision", mine / ".cache/torch/datasets"]
    learn = [
        root / "openml" / "openml.org" for root in _given("SCIKIT_LEARN_DATA", "scikit_learn_data")
    ]
    return [
        *([Place("cache", cache_folder() / name)] if _has_cache() else []),
        *(
            Place("keras", root / "datasets" / source.keras)
            for root in _given("KERAS_HOME", ".keras")
        ),
        *(Place("torchvision", root / source.torchvision / "raw") for root in roots),
        *(Place("scikit-learn", root / file) for root in learn for file in source.openml),
    ]


def _given(variable: str, at_home: str) -> list[Path]:
    """The folder in a variable of the environment, else the one of this name at home, if any."""
    if given := os.environ.get(variable):
        return [expanded(given)]
    mine = home()
    return [mine / at_home] if mine else []


def exists(path: Path) -> bool:
    """True for a path that is there and may be looked at; another user's home may not."""
    try:
        return path.exists()
    except OSError:
        return False


def verified(name: str, source: Source, path: Path, *, origin: str) -> tuple[Found, Dataset]:
    """Reads the data set from a path and verifies its published checksums.

    Raises DataError, naming the first checksum that differs, unless it is exactly the published
    data.
    """
    if source.arrays is not None:
        return accept(name, source, read(path), path=path, origin=origin)
    files = {key: path / f"{FILES[key]}.gz" for key in FILES}
    for key, md5 in source.md5.items():
        packed = read_file(files[key], LARGEST_IDX)
        measured = hashlib.md5(packed, usedforsecurity=False).hexdigest()
        if measured != md5:
            raise DataError(
                f"{files[key]} has MD5 {measured}, and the published file {md5}; it is damaged or "
                "other data: remove it."
            )
    found = Found(
        read_pair(files["train_images"], files["train_labels"]),
        read_pair(files["test_images"], files["test_labels"]),
    )
    return accept(name, source, found, path=path, origin=origin)


def accept(
    name: str, source: Source, found: Found, *, path: Path, origin: str
) -> tuple[Found, Dataset]:
    """Builds the Dataset; DataError unless its arrays have the published SHA-256 sums."""
    if found.test is None:
        raise DataError(f"{path} holds one part, and {name} has a training and a test part.")
    dataset = assemble(
        found.train, found.test, name=name, classes=source.classes, source=origin, published=True
    )
    for key, sha256 in (source.arrays or {}).items():
        if dataset.checksums[key] != sha256:
            raise DataError(
                f"{path}: its {key.replace('_', ' ')} have SHA-256 "
                f"{dataset.checksums[key][:16]}..., and those of {name} {sha256[:16]}...; it is "
                "damaged or other data: remove it."
            )
    return found, dataset


def keep(name: str, source: Source, found: Found, origin: Path) -> Path:
    """Stores verified data in our cache as IDX files; returns the folder.

    Plain files if checksums of the arrays are known: fast to read, and readable by every other
    tool; else the published `.gz` files, whose checksums are. Writes are atomic, so another process
    doing the same sees either nothing or a whole file.
    """
    folder = cache_folder() / name
    folder.mkdir(parents=True, exist_ok=True)
    if source.arrays is None:
        for key in FILES:
            file = f"{FILES[key]}.gz"
            write_atomically(folder / file, read_file(origin / file, LARGEST_IDX))
        return folder
    for which, part in (("train", found.train), ("test", found.test)):
        assert part is not None
        write_atomically(folder / FILES[f"{which}_images"], write_idx(part.images))
        write_atomically(folder / FILES[f"{which}_labels"], write_idx(part.labels))
    return folder

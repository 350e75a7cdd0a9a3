"""One way in for every format: `read(path)` looks at what a file holds, not at its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data.archives import MIB, gunzip, read_file, read_npz
from chainrule.data.dataset import DataError, Found, Part
from chainrule.data.idx import GZIP, LABELS, find_four, read_four, read_idx, read_pair, sibling
from chainrule.data.pickles import read_pickle
from chainrule.data.values import part

LARGEST_FILE = 1024 * MIB
LARGEST_PICKLE = 256 * MIB
KERAS_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read(path: str | Path) -> Found:
    """The examples a path holds: a file or a folder in any of the formats of this package.

    Raises DataError when nothing is there, or when it is none of them.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DataError(f"{path} does not exist; give the path of a data file or folder.")
    data = read_file(path, LARGEST_FILE)
    if data[:2] == GZIP:
        data = gunzip(data, LARGEST_PICKLE, str(path))
    if data[:2] == b"PK":
        return _from_npz(read_npz(data, str(path)), str(path))
    if data[:3] == b"\x00\x00\x08":
        return _from_idx(data, path)
    if data[:1] == b"\x80" or data[:1] in b"(]":
        return from_pickle(data, str(path))
    raise DataError(f"{path}: unknown format")


def _read_folder(folder: Path) -> Found:
    if find_four(folder):
        return read_four(folder)
    raise DataError(f"{folder}: unknown folder")


def _from_idx(data: bytes, path: Path) -> Found:
    if data[:4] == LABELS:
        raise DataError(f"{path} holds labels only; give the path of its images, or the folder.")
    read_idx(data, str(path))
    return Found(read_pair(path, sibling(path)), None)


def _from_npz(arrays: dict[str, Array], name: str) -> Found:
    if missing := [key for key in KERAS_ARRAYS if key not in arrays]:
        raise DataError(
            f"{name} lacks {', '.join(missing)}; save the four arrays under the names "
            f"{', '.join(KERAS_ARRAYS)}, as Keras' mnist.npz does."
        )
    x_train, y_train, x_test, y_test = (arrays[key] for key in KERAS_ARRAYS)
    return Found(part(x_train, y_train, f"{name}, train"), part(x_test, y_test, f"{name}, test"))


def from_pickle(data: bytes, name: str) -> Found:
    """Both parts of an (inflated) mnist.pkl.gz: its training and validation pairs are the 60,000.

    Two pairs are taken as training and test.
    """
    pairs = [part(images, labels, name) for images, labels in read_pickle(data, name)]
    if len(pairs) not in (2, 3):
        raise DataError(f"{name} holds {len(pairs)} pairs of images and labels, and 2 or 3 are read.")
    first = pairs[:-1]
    train = Part(
        np.concatenate([pair.images for pair in first]),
        np.concatenate([pair.labels for pair in first]),
    )
    return Found(train, pairs[-1])

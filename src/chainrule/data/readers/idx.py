"""IDX, the format MNIST was published in: magic number, dimensions, then one byte per pixel.

Layout (big-endian): 0x00 0x00 0x08 d, then d 32-bit sizes, then the bytes; d is 3 for images and
1 for labels. Source: the MNIST home page, http://yann.lecun.com/exdb/mnist.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.dataset import Found, Part
from chainrule.data.readers.archives import MIB, gunzip, read_file

LARGEST_IDX = 256 * MIB
GZIP = b"\x1f\x8b"
IMAGES, LABELS = b"\x00\x00\x08\x03", b"\x00\x00\x08\x01"
FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
"""The four file names that every tool uses; `.gz` may follow."""
SPELLING = re.compile(r"(.*-)?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?")


def read_idx(data: bytes, name: str) -> Array:
    """Parses an IDX file: uint8 images (N, h, w) or labels (N,).

    Raises DataError if the magic number, the sizes and the length are inconsistent.
    """
    if data[:4] not in (IMAGES, LABELS):
        raise DataError(
            f"{name} starts with 0x{data[:4].hex()}, and an IDX file with 0x00000803 (images) or "
            "0x00000801 (labels); it is another file, or damaged."
        )
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataError(f"{name} ends within its header; fetch it again.")
    shape = tuple(int(side) for side in np.frombuffer(data, ">u4", dimensions, 4))
    if 0 in shape:
        raise DataError(f"{name} declares the size {shape}: it holds nothing; fetch it again.")
    expected = start + math.prod(shape)
    if len(data) != expected:
        raise DataError(
            f"{name} declares the size {shape}, which makes {expected:,} bytes, and has "
            f"{len(data):,}; fetch it again."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def write_idx(array: Array) -> bytes:
    """IDX file of images (N, h, w) or labels (N,), as bytes; values as uint8."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + np.ascontiguousarray(array, np.uint8).tobytes()


def read_idx_file(path: Path) -> Array:
    """The array of one IDX file, gzipped or not."""
    data = read_file(path, LARGEST_IDX)
    if data[:2] == GZIP:
        data = gunzip(data, LARGEST_IDX, str(path))
    return read_idx(data, str(path))


def read_pair(images: Path, labels: Path) -> Part:
    """Reads images from one IDX file and labels from another; DataError if they do not match."""
    return paired(read_idx_file(images), read_idx_file(labels), images, labels)


def paired(pixels: Array, numbers: Array, images: Path, labels: Path) -> Part:
    """Pairs the arrays of two IDX files as a Part; DataError if they do not match."""
    if pixels.ndim != 3 or numbers.ndim != 1 or len(pixels) != len(numbers):
        raise DataError(
            f"{images} holds {pixels.shape} and {labels} {numbers.shape}: they are not the images "
            "and the labels of the same examples."
        )
    return Part(pixels, numbers.astype(np.int64))


def find_four(folder: Path) -> dict[str, Path]:
    """Those of the four files that are in a folder, by the keys of FILES.

    Other spellings count where there is one set of them: with a dot (`train-images.idx3-ubyte`),
    with a prefix (`emnist-letters-test-labels-idx1-ubyte`).
    """
    found = {}
    for key, name in FILES.items():
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                found[key] = candidate
                break
    return found or _spelt_otherwise(folder)


def _spelt_otherwise(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not (match := SPELLING.fullmatch(path.name)) or not path.is_file():
            continue
        key = f"{'train' if match[2] == 'train' else 'test'}_{match[3]}"
        if key in found and path.name != f"{found[key].name}.gz":
            raise DataError(
                f"{folder} holds {found[key].name} and {path.name}, of different data sets; give "
                "each set a folder of its own."
            )
        found.setdefault(key, path)
    return found


def read_four(folder: Path) -> Found:
    """Reads both parts from a folder with the four files; DataError names those missing."""
    files = find_four(folder)
    if missing := [name for key, name in FILES.items() if key not in files]:
        raise DataError(f"{folder} lacks {', '.join(missing)} (or the same with .gz); add it.")
    return Found(
        read_pair(files["train_images"], files["train_labels"]),
        read_pair(files["test_images"], files["test_labels"]),
    )


def sibling(images: Path) -> Path:
    """The labels file that belongs to an images file: the same name with `labels-idx1`."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    for candidate in (
        images.with_name(name),
        images.with_name(name.removesuffix(".gz") + ".gz"),
        images.with_name(name.removesuffix(".gz")),
    ):
        if candidate != images and candidate.is_file():
            return candidate
    raise DataError(
        f"{images} holds images, and their labels ({name}) are not beside it; add them."
    )

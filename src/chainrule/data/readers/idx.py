"""IDX, the format MNIST was published in: a magic number, the dimensions, then one byte a pixel.

Layout (big-endian): 0x00 0x00 0x08 d, then d 32-bit sizes, then the bytes; d is 3 for images and
1 for labels. Source: the MNIST home page, http://yann.lecun.com/exdb/mnist.
"""

from __future__ import annotations

import math
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
"""The four names every tool uses; `.gz` may follow."""


def read_idx(data: bytes, name: str) -> Array:
    """The uint8 array in an IDX file: images (N, h, w) or labels (N,).

    Raises DataError when the magic number, the sizes and the length do not fit each other.
    """
    if data[:4] not in (IMAGES, LABELS):
        raise DataError(
            f"{name} starts with 0x{data[:4].hex()}, and an IDX file with 0x00000803 (images) or "
            "0x00000801 (labels); it is another file, or damaged."
        )
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataError(f"{name} ends within its header; get it anew.")
    shape = tuple(int(side) for side in np.frombuffer(data, ">u4", dimensions, 4))
    if 0 in shape:
        raise DataError(f"{name} declares the size {shape}: it holds nothing; get it anew.")
    expected = start + math.prod(shape)
    if len(data) != expected:
        raise DataError(
            f"{name} declares the size {shape}, which makes {expected:,} bytes, and has "
            f"{len(data):,}; get it anew."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def write_idx(array: Array) -> bytes:
    """The bytes of an IDX file that holds images (N, h, w) or labels (N,), as uint8."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + np.ascontiguousarray(array, np.uint8).tobytes()


def read_idx_file(path: Path) -> Array:
    """The array of one IDX file, gzipped or not."""
    data = read_file(path, LARGEST_IDX)
    if data[:2] == GZIP:
        data = gunzip(data, LARGEST_IDX, str(path))
    return read_idx(data, str(path))


def read_pair(images: Path, labels: Path) -> Part:
    """The images of one IDX file with the labels of another; raises DataError if they are not."""
    return paired(read_idx_file(images), read_idx_file(labels), images, labels)


def paired(pixels: Array, numbers: Array, images: Path, labels: Path) -> Part:
    """The arrays that two IDX files hold, as a Part; DataError if they are not one another's."""
    if pixels.ndim != 3 or numbers.ndim != 1 or len(pixels) != len(numbers):
        raise DataError(
            f"{images} holds {pixels.shape} and {labels} {numbers.shape}: they are not the images "
            "and the labels of the same examples."
        )
    return Part(pixels, numbers.astype(np.int64))


def find_four(folder: Path) -> dict[str, Path]:
    """Which of the four files a folder holds, by the names of FILES."""
    found = {}
    for key, name in FILES.items():
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                found[key] = candidate
                break
    return found


def read_four(folder: Path) -> Found:
    """Both parts from a folder with the four files; raises DataError naming what is missing."""
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

"""File formats: `read(path)` recognises each by its content, not by its name.

a file     IDX images with their labels beside them · Keras' mnist.npz · mnist.pkl.gz · CSV or
           OpenML's ARFF; each may be gzipped, CSV zipped
a folder   the four IDX files · a training and a test CSV · pictures, a sub-folder per class
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.dataset import DIGITS, Found, Part
from chainrule.data.labels import check_labels
from chainrule.data.readers.archives import (
    LARGEST_NPZ,
    MIB,
    gunzip,
    open_zip,
    read_file,
    read_npz,
    zip_member,
)
from chainrule.data.readers.idx import (
    GZIP,
    IMAGES,
    LABELS,
    LARGEST_IDX,
    find_four,
    paired,
    read_four,
    read_idx,
    read_idx_file,
    sibling,
)
from chainrule.data.readers.images import TEST_NAMES, TRAIN_NAMES, entries, read_folder
from chainrule.data.readers.numbers import LONGEST_LINE, refuse_line
from chainrule.data.readers.pickles import read_pickle
from chainrule.data.readers.tabular import read_arff, read_csv, width
from chainrule.data.readers.values import part

LARGEST_FILE = 1024 * MIB
LARGEST_PICKLE = 256 * MIB
PICKLES = (b"\x80", b"(", b"]")
KERAS_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
OPENML_ROWS = (70_000, 60_000)
TEXT = bytes(range(32, 127)) + b"\t\r\n"
OTHERS = {
    b"\x89PNG": "one picture; put it in a folder with a sub-folder for each class",
    b"\xff\xd8\xff": "one picture; put it in a folder with a sub-folder for each class",
    b"\x93NUM": "a single NumPy array; save images and labels together as Keras' mnist.npz does",
    b"\x89HDF": "an HDF5 file; export it as npz or CSV",
    b"PAR1": "a Parquet file; export it as npz or CSV",
    b"%PDF": "a PDF document",
}


def read(
    path: str | Path,
    *,
    classes: int | None = len(DIGITS),
    like: Found | None = None,
    white: int = 0,
) -> Found:
    """Reads the examples in a file or folder of any of the formats above.

    Labels are 0 .. classes - 1; None: any that `data/labels` can name. Sub-folders of pictures
    define their own classes. `like` is what was found for training, if this is its test part;
    `white` the number that stands for white in pictures of 16 bits, if it is known.
    Raises DataError if the path is missing, in none of the formats, or invalid.
    """
    path = Path(path)
    try:
        folder = path.is_dir()
    except OSError as error:
        raise DataError(f"{str(path)[:200]!r} cannot be read: {error.strerror}.") from None
    found = _read_folder(path, classes, like, white) if folder else _read_file(path, classes, like)
    known = len(found.classes) if found.classes else classes
    for which, examples in (("training", found.train), ("test", found.test)):
        if examples is not None and known is not None:
            where = f"{path}, {which} part" if found.test else f"{path}"
            check_labels(examples.labels, 0, known, where)
    return found


def _read_folder(folder: Path, classes: int | None, like: Found | None, white: int) -> Found:
    if find_four(folder):
        return read_four(folder)
    inside = entries(folder)
    folders = [entry for entry in inside if entry.is_dir()]
    tables = [file for file in inside if file.name.lower().endswith((".csv", ".csv.gz"))]
    if tables and (not folders or _are_two(tables)):
        train = _named(tables, TRAIN_NAMES, folder)
        test = _named(tables, TEST_NAMES, folder)
        first = _read_file(train, classes, like)
        others = [entry for entry in inside if entry not in (train, test)]
        return Found(
            first.train,
            _read_file(test, classes, first).train,
            notes=tuple(f"left out: {entry}" for entry in others),
        )
    if not folders:
        raise DataError(
            f"{folder} holds no data that can be read: the four IDX files, a training and a test "
            "CSV, or a sub-folder of PNG or JPEG pictures for each class."
        )
    for deeper in (folders[0], *sorted(folders[0].glob("raw"))) if len(folders) == 1 else ():
        if find_four(deeper):
            return read_four(deeper)._replace(notes=(f"read from {deeper}",))
    return read_folder(folder, white=like.white if like else white)


def _are_two(tables: list[Path]) -> bool:
    """Whether there is one table for training among these, and one for the test."""
    return all(
        sum(any(word in file.name.lower() for word in words) for file in tables) == 1
        for words in (TRAIN_NAMES, TEST_NAMES)
    )


def _named(tables: list[Path], words: tuple[str, ...], folder: Path) -> Path:
    matching = [file for file in tables if any(word in file.name.lower() for word in words)]
    if len(matching) != 1:
        raise DataError(
            f"{folder} has {len(matching)} CSV files with {words[0]!r} in the name, and one "
            f"for {TRAIN_NAMES[0]!r} and one for {TEST_NAMES[0]!r} is read; rename them."
        )
    return matching[0]


def _read_file(path: Path, classes: int | None, like: Found | None) -> Found:
    name = str(path)

    def cap_of(head: bytes) -> int:
        return LARGEST_FILE if head[:2] == GZIP else _cap(head, name)

    data = read_file(path, LARGEST_FILE, cap_of=cap_of)
    if data[:2] == GZIP:
        data = gunzip(data, LARGEST_FILE, name, cap_of=lambda head: _cap(head, name))
        if not data:
            raise DataError(f"{name} is empty; fetch or export it again.")
    if data[:2] == b"PK":
        contents = _read_zip(data, name, classes, like)
        # From here on the arrays are held alone, not beside the file that they are from.
        del data
        return contents if isinstance(contents, Found) else from_npz(contents, name)
    if data[:4] == IMAGES:
        labels = sibling(path)
        return Found(paired(read_idx(data, name), read_idx_file(labels), path, labels), None)
    if data[:1] in PICKLES:
        _check_pickle(data, name)
        pairs = read_pickle(data, name)
        del data
        return _from_pairs(pairs, name)
    if data[:1] in b"%@":
        return _divided(read_arff(data, name, classes=classes))
    return Found(read_csv(data, name, classes=classes, like=like and like.train), None)


def _read_zip(
    data: bytes, name: str, classes: int | None, like: Found | None
) -> Found | dict[str, Array]:
    """Reads a zip file: the arrays of Keras' npz, or CSV files, as Kaggle packs them."""
    with open_zip(data, name) as archive:
        members = [member for member in archive.namelist() if not member.endswith("/")]
        tables = [Path(member) for member in members if member.lower().endswith(".csv")]
        if not tables:
            return read_npz(data, name, KERAS_ARRAYS)
        train = tables[0] if len(tables) == 1 else _named(tables, TRAIN_NAMES, Path(name))
        csv = zip_member(archive, str(train), cap=LARGEST_FILE, name=name)
        found = [read_csv(csv, f"{name}, {train}", classes=classes, like=like and like.train)]
        used = [str(train)]
        for test in tables:
            if test == train or not any(word in test.name.lower() for word in TEST_NAMES):
                continue
            rows = zip_member(archive, str(test), cap=LARGEST_FILE, name=name)
            if width(rows) == width(csv):  # else without labels, as Kaggle's is
                found.append(read_csv(rows, f"{name}, {test}", classes=classes, like=found[0]))
                used.append(str(test))
                break
    notes = tuple(f"left out: {member} in {name}" for member in members if member not in used)
    return Found(found[0], found[1] if len(found) > 1 else None, notes=notes)


def _cap(head: bytes, name: str) -> int:
    """The most bytes to read of a file with this head; DataError if the format is not read."""
    if head[:2] == b"PK":
        return LARGEST_NPZ
    if head[:4] == IMAGES:
        return LARGEST_IDX
    if head[:4] == LABELS:
        raise DataError(f"{name} holds labels only; give the path of its images, or the folder.")
    if head[:1] in PICKLES:
        return LARGEST_PICKLE
    for start, what in OTHERS.items():
        if head.startswith(start):
            raise DataError(f"{name} is {what}.")
    if head[:4096].removeprefix(b"\xef\xbb\xbf").translate(None, TEXT):
        raise DataError(
            f"{name} starts with {head[:4]!r}, which is none of IDX, npz, pickle, CSV, "
            "PNG or JPEG; is it damaged, or another file?"
        )
    if len(head) >= LONGEST_LINE and b"\n" not in head and b"\r" not in head:
        refuse_line(name, 1)
    return LARGEST_FILE


def _divided(whole: Part) -> Found:
    """Splits OpenML's MNIST, one table with the training part first, into two parts."""
    rows, first = OPENML_ROWS
    if len(whole.labels) != rows:
        return Found(whole, None)
    return Found(
        Part(whole.images[:first], whole.labels[:first]),
        Part(whole.images[first:], whole.labels[first:]),
    )


def from_npz(arrays: dict[str, Array], name: str) -> Found:
    """Both parts of Keras' mnist.npz, from its four arrays by name, which are taken out."""
    train, test = (
        part(arrays.pop(images), arrays.pop(labels), f"{name}, {images}")
        for images, labels in (KERAS_ARRAYS[:2], KERAS_ARRAYS[2:])
    )
    return Found(train, test)


def from_pickle(data: bytes, name: str) -> Found:
    """Both parts of an (inflated) mnist.pkl.gz: training and validation pairs together are 60,000.

    Two pairs are taken as training and test.
    """
    _check_pickle(data, name)
    return _from_pairs(read_pickle(data, name), name)


def _check_pickle(data: bytes, name: str) -> None:
    if len(data) > LARGEST_PICKLE:
        raise DataError(f"{name} inflates beyond {LARGEST_PICKLE:,} bytes, the most that is read.")


def _from_pairs(pairs: list[tuple[Array, Array]], name: str) -> Found:
    """Both parts of these pairs of images and labels, which are taken out of the list."""
    parts: list[Part] = []
    pairs.reverse()
    while pairs:
        parts.append(part(*pairs.pop(), name))
    if len(parts) not in (2, 3):
        raise DataError(
            f"{name} holds {len(parts)} pairs of images and labels, and 2 or 3 are read."
        )
    *learned, test = parts
    if len({(one.images.shape[1:], one.images.dtype) for one in learned}) > 1:
        raise DataError(f"{name}: training and validation images differ in size or type.")
    if len(learned) == 1:
        return Found(learned[0], test)
    images, labels = ([getattr(one, what) for one in learned] for what in Part._fields[:2])
    return Found(Part(np.concatenate(images), np.concatenate(labels)), test)

"""Data set: images and labels, in a training part and a test part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.errors import DataError
from chainrule.core.schema import Schema

DIGITS = tuple("0123456789")
MOST_CLASSES = 256
HELD_OUT = 7
"""One example in seven is held out as test if a user supplies only one part: MNIST's ratio."""


class Part(NamedTuple):
    """Examples as a file holds them.

    images is (N, h, w): uint8 in 0..255 or float32 in 0..1; labels is (N,) int64.
    """

    images: Array
    labels: Int[Array, " N"]
    notes: tuple[str, ...] = ()
    """Sentences about what was taken for labels, and what was left out."""
    label_column: int | None = None
    """Of a table: the column of its labels, from 0."""


class Found(NamedTuple):
    """Contents of one path: two parts, or one part still to be split."""

    train: Part
    test: Part | None
    classes: tuple[str, ...] | None = None
    white: int = 255
    """Number that stands for white in the files."""
    notes: tuple[str, ...] = ()
    """Sentences about what was taken, and what was left out."""


class Examples(NamedTuple):
    """Images (N, h*w) float32 in 0..1, one per row, and their labels (N,) int64."""

    images: Float[Array, "N P"]
    labels: Int[Array, " N"]

    def __repr__(self) -> str:
        rows, inputs = self.images.shape
        classes = len(np.unique(self.labels))
        return f"<Examples: {rows:,} of {inputs:,} inputs, labels of {classes} classes>"


@dataclass(frozen=True, repr=False)
class Dataset:
    """Data set: training and test examples, and their origin.

    shape is (h, w) of one image; classes[k] is the name of label k; source is a readable line;
    checksums holds the SHA-256 of train_images, train_labels, test_images and test_labels, each
    as raw bytes (uint8, no header), so the same data have the same sums in any format.
    """

    name: str
    train: Examples
    test: Examples
    classes: tuple[str, ...]
    shape: tuple[int, int]
    source: str
    checksums: dict[str, str]
    published: bool = False
    """The data are those of data/catalog, byte for byte."""
    white: int = 255
    """Number that stands for white in the files, as measured: 255, 65,535, 4,095, 16, 1."""
    notes: tuple[str, ...] = ()
    """Sentences about what was taken for label and pixel, and what was left out or is missing."""
    schema: Schema | None = None
    """Of a table: how its cells became inputs; `images` are then rows of these. None: images."""

    def __repr__(self) -> str:
        height, width = self.shape
        each = f"{width} inputs" if self.schema else f"{height} x {width}"
        return (
            f"<Dataset {self.name}: {len(self.train.labels):,} {self.noun} of {each} to train on, "
            f"{len(self.test.labels):,} to test on, {len(self.classes)} classes>"
        )

    @property
    def noun(self) -> str:
        """What its examples are called."""
        return noun(self.schema)

    def check_images(self, what: str) -> None:
        """Raises DataError for a table, which `what`, such as an option, has no use for."""
        if self.schema:
            raise DataError(f"{self.source} is a table: {what} is for images; leave it out.")


def noun(schema: Schema | None) -> str:
    """What examples with this schema are called: rows of a table, or images."""
    return "rows" if schema else "images"


def as_bytes(values: Array) -> Array:
    """Pixels or labels as uint8: fractions 0..1 become 0..255, integers stay."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype.kind == "f":
        return np.rint(values * np.float32(255)).astype(np.uint8)
    return values.astype(np.uint8)


def checksums(train: Part, test: Part, *, table: bool = False) -> dict[str, str]:
    """The four SHA-256 sums of `Dataset.checksums`."""
    arrays = {
        "train_images": train.images,
        "train_labels": train.labels,
        "test_images": test.images,
        "test_labels": test.labels,
    }
    return {
        name: hashlib.sha256(_hashed(array, table=table).data).hexdigest()
        for name, array in arrays.items()
    }


def _hashed(values: Array, *, table: bool) -> Array:
    """What is hashed: inputs of a table as they are, little endian; all else as bytes."""
    if table and values.dtype.kind == "f":
        return np.ascontiguousarray(values, "<f4")
    return as_bytes(values)


def examples(part: Part) -> Examples:
    """One part as network inputs: rows of float32 in 0..1."""
    rows = part.images.reshape(len(part.images), -1)
    if rows.dtype != np.uint8:
        return Examples(np.ascontiguousarray(rows, np.float32), part.labels)
    # Divided, not multiplied by 1/255: that differs in the last bit for 126 of the 256 values.
    scaled = np.empty(rows.shape, np.float32)
    np.divide(rows, np.float32(255), out=scaled)
    return Examples(scaled, part.labels)


def hold_out(whole: Part) -> tuple[Part, Part]:
    """Splits one part in two: 1 example in 7 of each class for the test, always the same ones.

    Raises DataError if there are too few examples for two parts.
    """
    rng = np.random.Generator(np.random.PCG64(0))
    for_test = np.zeros(len(whole.labels), bool)
    for label in np.unique(whole.labels):
        rows = rng.permutation(np.flatnonzero(whole.labels == label))
        for_test[rows[: round(len(rows) / HELD_OUT)]] = True
    if not for_test.any() or for_test.all():
        raise DataError(
            f"{len(whole.labels)} examples are too few to hold one in {HELD_OUT} of each class "
            "out for the test; bring more, or give the test part its own path."
        )
    return (
        Part(whole.images[~for_test], whole.labels[~for_test]),
        Part(whole.images[for_test], whole.labels[for_test]),
    )


def assemble(
    train: Part,
    test: Part,
    *,
    name: str,
    classes: tuple[str, ...],
    source: str,
    published: bool = False,
    schema: Schema | None = None,
) -> Dataset:
    """Builds the Dataset after checking that the two parts fit together.

    Raises DataError if a part is empty, the images differ in size, or there are not 2 to 256
    classes. Pixels and labels were checked when they were read.
    """
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{name}: {len(classes)} classes were found, and there must be 2 to {MOST_CLASSES}."
        )
    for which, part in (("training", train), ("test", test)):
        if part.images.size == 0:
            raise DataError(f"{name}: its {which} part is empty; bring one of each class at least.")
    shape = train.images.shape[1:]
    if test.images.shape[1:] != shape:
        raise DataError(
            f"{name}: training images are {_size(shape)} and test images "
            f"{_size(test.images.shape[1:])}; resize one of them."
        )
    as_inputs = examples(train)
    return Dataset(
        name=name,
        train=as_inputs,
        test=as_inputs if test is train else examples(test),
        classes=classes,
        shape=(int(shape[0]), int(shape[1])),
        source=source,
        checksums=checksums(train, test, table=schema is not None),
        published=published,
        schema=schema,
    )


def _size(shape: tuple[Any, ...]) -> str:
    return "x".join(str(side) for side in shape)

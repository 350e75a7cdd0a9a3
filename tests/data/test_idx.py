from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chainrule.core.errors import DataError
from chainrule.data.dataset import Found
from chainrule.data.readers.formats import read
from chainrule.data.readers.idx import FILES, read_idx, write_idx


def write_four(folder: Path, found: Found, *, packed: bool = False) -> Path:
    """The four files as MNIST's authors laid them out, written with struct."""
    folder.mkdir(parents=True, exist_ok=True)
    assert found.test is not None
    for which, part in (("train", found.train), ("test", found.test)):
        count, height, width = part.images.shape
        images = struct.pack(">IIII", 0x803, count, height, width) + part.images.tobytes()
        labels = struct.pack(">II", 0x801, count) + bytes(part.labels.tolist())
        for key, data in ((f"{which}_images", images), (f"{which}_labels", labels)):
            name = FILES[key] + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(data) if packed else data)
    return folder


def assert_same(found: Found, expected: Found) -> None:
    for part, other in ((found.train, expected.train), (found.test, expected.test)):
        assert part is not None
        assert other is not None
        assert part.images.dtype == np.uint8
        assert part.labels.dtype == np.int64
        np.testing.assert_array_equal(part.images, other.images)
        np.testing.assert_array_equal(part.labels, other.labels)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_four_idx_files_reads_back(tmp_path: Path, sample: Found, packed: bool) -> None:
    assert_same(read(write_four(tmp_path, sample, packed=packed)), sample)


@pytest.mark.parametrize("packed", [False, True])
def test_an_images_file_finds_its_labels_beside_it(
    tmp_path: Path, sample: Found, packed: bool
) -> None:
    write_four(tmp_path, sample, packed=packed)
    found = read(tmp_path / (FILES["test_images"] + (".gz" if packed else "")))
    assert found.test is None
    np.testing.assert_array_equal(found.train.labels, sample.test.labels)


def test_packed_images_with_plain_labels_belong_together(tmp_path: Path, sample: Found) -> None:
    write_four(tmp_path, sample)
    plain = tmp_path / FILES["train_images"]
    packed = tmp_path / f"{plain.name}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    np.testing.assert_array_equal(read(packed).train.labels, sample.train.labels)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_what_is_written_as_idx_reads_back(images: np.ndarray) -> None:
    np.testing.assert_array_equal(read_idx(write_idx(images), "x"), images)
    labels = images[:, 0, 0]
    np.testing.assert_array_equal(read_idx(write_idx(labels), "x"), labels)


def test_the_header_is_as_published() -> None:
    """The MNIST home page: magic 2051, 60000 items, 28 rows, 28 columns, big-endian."""
    data = write_idx(np.zeros((60000, 28, 28), np.uint8))
    assert data[:16] == struct.pack(">IIII", 2051, 60000, 28, 28)
    assert len(data) == 47_040_016


@given(st.data())
def test_any_cut_of_an_idx_file_is_refused(data: st.DataObject) -> None:
    whole = write_idx(np.ones((3, 4, 5), np.uint8))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DataError):
        read_idx(whole[:cut], "cut")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(9), "makes 24 bytes, and has 25"),
        (struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(7), "makes 24 bytes, and has 23"),
        (struct.pack(">IIII", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(9), "has 25"),
        (struct.pack(">IIII", 0x803, 0, 28, 28), "holds nothing"),
        (struct.pack(">IIII", 0x903, 2, 2, 2) + bytes(8), "0x00000903"),
        (struct.pack(">II", 0x803, 2), "within its header"),
    ],
    ids=["extra", "truncated", "huge", "zero", "magic", "header"],
)
def test_an_idx_file_that_is_not_sound_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_idx(data, "my-file")
    assert str(caught.value).startswith("my-file")


def test_labels_alone_are_refused(tmp_path: Path, sample: Found) -> None:
    write_four(tmp_path, sample)
    with pytest.raises(DataError, match="holds labels only"):
        read(tmp_path / FILES["train_labels"])


def test_images_without_labels_are_refused(tmp_path: Path, sample: Found) -> None:
    write_four(tmp_path, sample)
    (tmp_path / FILES["train_labels"]).unlink()
    with pytest.raises(DataError, match=r"labels .train-labels-idx1-ubyte. are not beside it"):
        read(tmp_path / FILES["train_images"])
    with pytest.raises(DataError, match="lacks train-labels-idx1-ubyte"):
        read(tmp_path)


def test_images_with_the_labels_of_others_are_refused(tmp_path: Path, sample: Found) -> None:
    write_four(tmp_path, sample)
    (tmp_path / FILES["train_labels"]).write_bytes((tmp_path / FILES["test_labels"]).read_bytes())
    with pytest.raises(DataError, match="not the images and the labels of the same examples"):
        read(tmp_path)


def test_a_label_outside_the_classes_is_named(tmp_path: Path, sample: Found) -> None:
    write_four(tmp_path, sample)
    labels = sample.train.labels.copy()
    labels[122] = 10
    (tmp_path / FILES["train_labels"]).write_bytes(write_idx(labels))
    with pytest.raises(DataError, match=r"example 123: label 10 is not one of the classes 0\.\.9"):
        read(tmp_path)
    assert read(tmp_path, classes=11).train.labels[122] == 10

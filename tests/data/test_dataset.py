from __future__ import annotations

import hashlib

import numpy as np
import pytest

from chainrule.core.errors import DataError
from chainrule.data.catalog import SOURCES
from chainrule.data.dataset import Dataset, Found, Part, assemble, examples, hold_out
from chainrule.data.readers.values import part

GOLDEN = {
    "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}


def test_mnist_is_the_published_data(mnist: Dataset) -> None:
    """Checksums of the raw bytes, recomputed here from what training sees."""
    measured = {
        "train_images": np.rint(mnist.train.images * 255).astype(np.uint8),
        "train_labels": mnist.train.labels.astype(np.uint8),
        "test_images": np.rint(mnist.test.images * 255).astype(np.uint8),
        "test_labels": mnist.test.labels.astype(np.uint8),
    }
    sums = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in measured.items()}
    assert sums == GOLDEN
    assert mnist.checksums == GOLDEN
    assert SOURCES["mnist"].arrays == GOLDEN


def test_mnist_has_the_published_mean_and_spread(mnist: Dataset) -> None:
    """0.1307 and 0.3081, known from torchvision's examples; more digits from golden.md."""
    assert mnist.train.images.mean(dtype=np.float64) == pytest.approx(0.13066, abs=5e-6)
    assert mnist.train.images.std(dtype=np.float64) == pytest.approx(0.30811, abs=5e-6)


def test_mnist_has_the_published_shape(mnist: Dataset) -> None:
    """Class counts of the training part as in many papers; first labels as in the articles."""
    assert mnist.name == "mnist"
    assert mnist.shape == (28, 28)
    assert mnist.classes == tuple("0123456789")
    assert mnist.train.images.shape == (60000, 784)
    assert mnist.test.images.shape == (10000, 784)
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(mnist.train.labels).tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    for images, labels in (mnist.train, mnist.test):
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        assert images.flags.c_contiguous


def test_bytes_become_the_nearest_float32_of_v_over_255() -> None:
    """Against exact division in float64, rounded once."""
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    result = examples(Part(values, np.zeros(1, np.int64))).images
    np.testing.assert_array_equal(result[0], (np.arange(256) / 255).astype(np.float32))


def test_one_in_seven_of_each_class_is_held_out(sample: Found) -> None:
    train, test = hold_out(sample.train)
    assert len(train.labels) + len(test.labels) == 210
    counts = np.bincount(sample.train.labels)
    np.testing.assert_array_equal(np.bincount(test.labels), np.rint(counts / 7))
    rows = {image.tobytes() for image in train.images} | {image.tobytes() for image in test.images}
    assert rows == {image.tobytes() for image in sample.train.images}


def test_the_same_examples_are_held_out_each_time(sample: Found) -> None:
    first, second = hold_out(sample.train)[1], hold_out(sample.train)[1]
    np.testing.assert_array_equal(first.images, second.images)
    assert (np.diff(np.flatnonzero(np.isin(sample.train.labels, second.labels))) > 0).all()


def test_too_few_examples_to_hold_any_out_are_refused() -> None:
    with pytest.raises(DataError, match="3 examples are too few"):
        hold_out(Part(np.zeros((3, 2, 2), np.uint8), np.array([0, 1, 2])))


def small(count: int = 2, side: int = 2) -> Part:
    return Part(np.zeros((count, side, side), np.uint8), np.arange(count, dtype=np.int64) % 2)


@pytest.mark.parametrize(
    ("train", "test", "classes", "words"),
    [
        (small(0), small(), ("a", "b"), "training part is empty"),
        (small(), small(0), ("a", "b"), "test part is empty"),
        (small(), small(side=3), ("a", "b"), "training images are 2x2 and test images 3x3"),
        (small(), small(), ("a",), "1 classes were found"),
        (small(), small(), ("a",) * 257, "257 classes were found"),
    ],
)
def test_parts_that_make_no_data_set_are_refused(
    train: Part, test: Part, classes: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        assemble(train, test, name="mine", classes=classes, source="")


LABELS = np.array([0, 1])


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.array([[[0.5]], [[np.nan]]]), "image 2: pixel value nan"),
        (np.array([[[0.5]], [[np.inf]]]), "image 2: pixel value inf"),
        (np.array([0, 0x7F800001], "u4").view("f4").reshape(2, 1, 1), "image 2: pixel value nan"),
        (np.array([[[0.5]], [[-np.inf]]]), "image 2: pixel value -inf"),
        (np.array([[[1e300]], [[0.5]]]), "image 1: pixel value 1e"),
        (np.array([[[-1e300]], [[0.5]]]), "image 1: pixel value -1e"),
        (np.array([[[0.5]], [[1.5]]]), "image 2: pixel value 1.5"),
        (np.array([[[-0.5]], [[0.5]]], np.float32), "image 1: pixel value -0.5"),
        (np.array([[[7]], [[256]]]), "image 2: pixel value 256"),
        (np.array([[[7]], [[-1]]]), "image 2: pixel value -1"),
        (np.zeros((2, 0, 3)), "holds no images"),
        (np.zeros((2, 3, 3, 3)), "images of shape"),
        (np.zeros((3, 3, 3)), "images of shape"),
        (np.zeros(()), "images of shape"),
    ],
)
def test_pixels_that_are_none_are_refused(images: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        part(images, LABELS, "mine")


@pytest.mark.parametrize("label", [0.5, np.nan, np.inf, 1e300])
def test_labels_that_are_no_whole_numbers_are_refused(label: float) -> None:
    with pytest.raises(DataError, match="example 2: label"):
        part(np.zeros((2, 2, 2)), np.array([0, label]), "mine")


@pytest.mark.parametrize(
    "images",
    [
        np.array([[[0, 255]], [[7, 9]]], np.int32),
        np.array([[[0, 255]], [[7, 9]]], np.float64),
        np.array([[[0, 255]], [[7, 9]]], np.float32) / 256,
        np.array([[0, 255], [7, 9]], np.uint8),
        np.array([[[0], [255]], [[7], [9]]], np.uint16).reshape(2, 1, 2, 1),
    ],
)
def test_bytes_in_any_type_and_layout_are_the_same_part(images: np.ndarray) -> None:
    result = part(images, np.array([[0.0], [1.0]]), "mine")
    assert result.images.dtype == np.uint8
    assert result.images.tolist() == [[[0, 255]], [[7, 9]]]
    assert result.labels.tolist() == [0, 1]


def test_black_and_white_fractions_stay_fractions() -> None:
    result = part(np.array([[[0.0, 1.0]]]), np.array([1]), "mine")
    assert result.images.dtype == np.float32
    assert result.images.tolist() == [[[0, 1]]]


def test_checksums_do_not_depend_on_the_format(sample: Found) -> None:
    fractions = Part((sample.train.images / np.float32(255)), sample.train.labels)
    one = assemble(sample.train, sample.test, name="a", classes=tuple("0123456789"), source="")
    two = assemble(fractions, sample.test, name="a", classes=tuple("0123456789"), source="")
    assert one.checksums == two.checksums
    np.testing.assert_array_equal(one.train.images, two.train.images)

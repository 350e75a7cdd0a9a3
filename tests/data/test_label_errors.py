"""The disputed labels are those of the study, and are found only among MNIST's own test images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.label_errors import DISPUTED, disputed
from chainrule.data.load import load


def test_fifteen_labels_were_confirmed_by_fewer_than_three_of_five_people() -> None:
    assert len(DISPUTED) == 15
    for dispute in DISPUTED.values():
        assert sum(dispute.votes) == 5
        assert dispute.votes[0] < 3
        assert dispute.given != dispute.proposed


def test_the_given_labels_are_those_of_the_data(mnist: Dataset) -> None:
    given = [dispute.given for dispute in DISPUTED.values()]
    np.testing.assert_array_equal(mnist.test.labels[list(DISPUTED)], given)


def test_mnist_is_known_by_its_test_images_whatever_its_name_and_training_part(
    mnist: Dataset,
) -> None:
    other = replace(mnist, name="mine", checksums=mnist.checksums | {"train_images": "0"})
    assert disputed(mnist).tolist() == disputed(other).tolist() == sorted(DISPUTED)


@pytest.mark.parametrize("part", ["test_images", "test_labels"])
def test_other_test_images_or_labels_have_none_though_they_are_called_mnist(
    part: str, mnist: Dataset
) -> None:
    assert not disputed(replace(mnist, checksums=mnist.checksums | {part: "0"})).size


def test_mnist_in_another_format_is_known_too(mnist: Dataset, tmp_path) -> None:
    arrays = {
        f"{axis}_{part}": values
        for part, (images, labels) in (("train", mnist.train), ("test", mnist.test))
        for axis, values in (
            ("x", np.rint(images * 255).astype(np.uint8).reshape(-1, 28, 28)),
            ("y", labels.astype(np.uint8)),
        )
    }
    arrays["x_train"], arrays["y_train"] = arrays["x_train"][:50], arrays["y_train"][:50]
    np.savez(tmp_path / "own.npz", **arrays)
    assert disputed(load(path=tmp_path / "own.npz")).size == 15

"""New data in another form than the training images get a word, and others get none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chainrule.data.dataset import Dataset, Examples
from chainrule.evaluation.views import looks
from chainrule.nn.model_file import Model, load_model

CHANGED = {
    "inverted": lambda images: 1 - images,
    "turned a quarter to the left": lambda images: np.rot90(images, 1, (1, 2)),
    "turned a quarter to the right": lambda images: np.rot90(images, -1, (1, 2)),
    "upside down": lambda images: images[:, ::-1, ::-1],
    "transposed": lambda images: images.transpose(0, 2, 1),
    "mirrored": lambda images: images[:, :, ::-1],
    "scaled to another range": lambda images: images / np.float32(255),
}


def changed(data: Dataset, how: str, count: int = 1500) -> Dataset:
    images = data.test.images[:count].reshape(-1, 28, 28)
    rows = np.ascontiguousarray(CHANGED[how](images)).reshape(count, -1) if how else images
    return replace(data, test=Examples(rows.reshape(count, -1), data.test.labels[:count]))


@pytest.fixture(scope="module")
def model(trained) -> Model:
    return load_model(trained / "mine" / "model.safetensors")


@pytest.mark.parametrize("how", CHANGED)
def test_what_was_done_to_the_data_is_named(model: Model, mnist: Dataset, how: str) -> None:
    said = looks(model, changed(mnist, how))
    assert said.startswith(f"these images look {how} beside those of training: of 1,000, ")


def test_data_like_those_of_training_get_no_word(model: Model, mnist: Dataset) -> None:
    assert looks(model, changed(mnist, "")) == ""


def test_a_few_images_are_no_proof(model: Model, mnist: Dataset) -> None:
    assert looks(model, changed(mnist, "mirrored", 5)) == ""

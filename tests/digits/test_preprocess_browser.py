"""web/static/preprocess.js finds what NumPy finds, pixel by pixel within 1e-5."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.core.errors import DataError
from chainrule.data.dataset import Dataset, Found
from chainrule.digits.form import measure
from chainrule.digits.preprocess import find, normalize, seen_by
from chainrule.digits.synthetic import photo_of_one, photo_of_row
from helpers.photos import drawing, pasted, read_by_node
from helpers.sets import SETS

TOLERANCE = 1e-5
MANY = pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.long)])
"""Of the test images, the first."""


def compare(pictures: Sequence[np.ndarray], what: str, folder: Path) -> int:
    """How many digits were compared; both must refuse the same pictures, in the same words."""
    compared = 0
    for picture, (answer, seen) in zip(pictures, read_by_node(pictures, what, folder), strict=True):
        try:
            if what == "normalize":
                expected, boxes = [normalize(picture)], [None]
            else:
                digits = find(picture)
                expected = [digit.pixels for digit in digits]
                boxes = [[*digit.box, digit.line] for digit in digits]
        except DataError as error:
            expected, boxes = [], str(error)
        assert answer == boxes
        np.testing.assert_allclose(seen, np.reshape(expected, seen.shape), rtol=0, atol=TOLERANCE)
        compared += len(expected)
    return compared


def bytes_of(image: np.ndarray) -> np.ndarray:
    return np.rint(image.reshape(28, 28) * 255).astype(np.uint8)


@MANY
@pytest.mark.parametrize("what", ["normalize", "find"])
def test_test_images_agree(mnist: Dataset, tmp_path: Path, what: str, count: int) -> None:
    pictures = [bytes_of(image) for image in mnist.test.images[:count]]
    assert compare(pictures, what, tmp_path) >= count


@MANY
def test_test_images_enlarged_agree(mnist: Dataset, tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    pictures = [
        pasted(
            [image.reshape(28, 28)], [(int(rng.integers(40)), int(rng.integers(40)))],
            shape=(160, 160), side=int(rng.integers(30, 120)),
        )
        for image in mnist.test.images[:count]
    ]  # fmt: skip
    assert compare(pictures, "normalize", tmp_path) == count


@pytest.mark.parametrize("count", [60, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("what", ["normalize", "find"])
def test_drawings_agree(tmp_path: Path, what: str, count: int) -> None:
    rng = np.random.default_rng(1)
    assert compare([drawing(rng) for _ in range(count)], what, tmp_path) >= count


def test_photos_agree(mnist: Dataset, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    images = mnist.test.images.reshape(-1, 28, 28)
    pictures = [photo_of_one(images[i], rng).picture for i in range(12)]
    pictures += [photo_of_row(images[7 * i : 7 * i + 7], rng).picture for i in range(4)]
    assert compare(pictures, "find", tmp_path) > 30


def test_pictures_of_other_sizes_and_kinds_agree(mnist: Dataset, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    images = mnist.test.images.reshape(-1, 28, 28)
    large = np.kron(pasted(images[:7], [(40, 20 + 60 * k) for k in range(7)]), np.ones((5, 3)))
    clear = np.zeros((100, 100, 4), np.uint8)
    clear[20:76, 30:86, 3] = 255 - pasted(images[:1], [(0, 0)], shape=(56, 56))
    light = clear.copy()
    light[..., :3] = 250
    red = np.stack([pasted(images[:1], [(9, 9)])] * 3, axis=2)
    red[..., 0] = 200
    tight = bytes_of(images[0])[4:24, 5:25]
    noise = rng.integers(0, 256, (60, 60), np.uint8)
    blank = np.full((40, 30), 99, np.uint8)
    noisy = (bytes_of(images[1]) * 0.8 + rng.normal(25, 8, (28, 28))).clip(0, 255).astype(np.uint8)
    specks = np.where(rng.random((200, 300)) < 0.003, 0, 255).astype(np.uint8)
    flat = [rng.integers(0, 256, shape, np.uint8) for shape in ((1, 1500), (900, 2), (1, 1))]
    pictures = [
        *flat,
        large.astype(np.uint8),
        clear,
        light,
        red,
        tight,
        noise,
        blank,
        noisy,
        specks,
    ]
    for number, what in enumerate(("normalize", "find")):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert compare(pictures, what, folder) >= 6


@pytest.mark.parametrize("name", [name for name in SETS if "16_bits" not in name])
def test_pictures_for_networks_of_any_form_agree(sample: Found, tmp_path: Path, name: str) -> None:
    """Test images, inverted, shifted, enlarged, half as wide: the same pixels, the same notes."""
    images, _ = SETS[name](sample)
    shape = images.shape[1], images.shape[2]
    white = 16 if "levels" in name else 255
    learned = np.rint(images[20:] * (255 / white)).reshape(len(images) - 20, -1)
    form = measure((learned / 255).astype(np.float32), shape, white=white)
    assert form is not None
    rng = np.random.default_rng(4)
    pictures: list[np.ndarray] = []
    for image in images[:6]:
        large = np.asarray(Image.fromarray(image).resize((9 * shape[1], 9 * shape[0])))
        lines = large.copy()
        lines[::60] = lines.mean()
        pictures += [image, 255 - image, np.roll(image, 6, 1), large, 255 - large, lines]
        pictures += [large[:, ::2], np.kron(image, np.ones((2, 3), np.uint8)), image[3:-3, 2:-2]]
    pictures += [np.full(shape, value, np.uint8) for value in (0, 99, 255)]
    pictures += [rng.integers(0, 256, (50, 70, 3), np.uint8), drawing(rng)]
    found = read_by_node(pictures, "seenBy", tmp_path, form, shape)
    for picture, (answer, pixels) in zip(pictures, found, strict=True):
        expected: tuple[list[list[str]] | str, list[np.ndarray]]
        try:
            seen = seen_by(Image.fromarray(picture), shape, form, digits=False)
            expected = [list(seen.notes)], [seen.digits[0].pixels]
        except DataError as error:
            expected = str(error), []
        assert answer == expected[0]
        wanted = np.reshape(expected[1], pixels.shape)
        np.testing.assert_allclose(pixels, wanted, rtol=0, atol=TOLERANCE)

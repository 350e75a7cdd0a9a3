"""`evaluate --photos` measures on photos that are read whole, the same ones for every network."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chainrule.cli.evaluate import print_photos
from chainrule.core.errors import DataError
from chainrule.data.dataset import Dataset
from chainrule.digits.synthetic import HEIGHT, LARGEST, SMALLEST, WIDTH, photo_of_one, photo_of_row
from chainrule.evaluation.photos import Predict, Readings, read_photos


@pytest.fixture(scope="module")
def neighbour(mnist: Dataset) -> Predict:
    """A reader that needs no training: the label of the nearest of some thousand digits."""
    images, labels = (part[:5000] for part in mnist.train)
    squares = (images * images).sum(axis=1)

    def predict(seen: np.ndarray) -> np.ndarray:
        nearest = np.argmin(squares - 2 * seen @ images.T, axis=1)
        return np.eye(10)[labels[nearest]]

    return predict


@pytest.mark.parametrize(("photos", "rows"), [(20, 3), pytest.param(60, 8, marks=pytest.mark.long)])
def test_a_reader_of_digits_reads_photos_of_them(neighbour, mnist, photos, rows) -> None:
    """93 % of the test images themselves are read by such a reader."""
    found = read_photos(neighbour, mnist, photos=photos, rows=rows)
    assert (found.photos, found.rows) == (photos, rows)
    assert found.found >= photos - 1
    assert found.rows_found >= rows - 1
    assert found.accuracy >= 0.85
    assert found.rows_right >= rows / 4


def test_the_same_photos_are_read_each_time(neighbour, mnist) -> None:
    first, again = (read_photos(neighbour, mnist, photos=5, rows=1) for _ in range(2))
    assert first == again


def test_a_photo_is_right_only_if_that_digit_and_no_other_is_read(mnist) -> None:
    def always_seven(images: np.ndarray) -> np.ndarray:
        return np.eye(10)[np.full(len(images), 7)]

    found = read_photos(always_seven, mnist, photos=40, rows=2)
    rng = np.random.default_rng(0)
    order = rng.choice(10_000, 40, replace=False)
    sevens = int((mnist.test.labels[order] == 7).sum())
    assert 0 < sevens == found.right
    assert found.rows_right == 0


def test_other_data_than_digits_is_refused(neighbour, mnist) -> None:
    with pytest.raises(DataError, match="leave --photos out"):
        read_photos(neighbour, replace(mnist, classes=("a", "b")))


def test_it_is_printed_with_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    print_photos(Readings(1000, 975, 990, 100, 88, 97, 300))
    out = capsys.readouterr().out
    for words in (
        "97.50 % of 1,000",
        "made of 300 test images",
        "96.34 to 98.30 %",
        "on 990",
        "88 of 100",
        "on 97",
    ):
        assert words in out


def test_the_command_measures_photos_too(chainrule, mine, monkeypatch) -> None:
    few = partial(read_photos, photos=5, rows=2)
    monkeypatch.setattr("chainrule.runs.evaluation.read_photos", few)
    done = chainrule("evaluate", "mine", "--photos", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["photos"]
    assert (found["photos"], found["rows"]) == (5, 2)
    assert found["interval"][0] <= found["accuracy"] <= found["interval"][1]
    assert "synthetic photos" in chainrule("evaluate", "mine", "--photos").out


def test_photos_have_digits_where_they_say_and_of_the_sizes_they_say(mnist) -> None:
    rng = np.random.default_rng(0)
    images = mnist.test.images.reshape(-1, 28, 28)
    sizes = []
    for image in images[:40]:
        photo = photo_of_one(image, rng)
        assert photo.picture.shape == (HEIGHT, WIDTH, 3)
        ((row, column, height, width),) = photo.boxes
        sizes.append(max(height, width))
        assert 0 <= row <= row + height <= HEIGHT
        assert 0 <= column <= column + width <= WIDTH
    assert SMALLEST <= min(sizes) < 40
    assert 250 < max(sizes) <= LARGEST
    for start in range(0, 140, 7):
        photo = photo_of_row(images[start : start + 7], rng)
        lefts = [column for _, column, _, _ in photo.boxes]
        assert lefts == sorted(lefts)
        for row, column, height, width in photo.boxes:
            assert 0 <= row <= row + height <= HEIGHT
            assert 0 <= column <= column + width <= WIDTH


def test_ink_differs_from_paper_in_every_photo(mnist) -> None:
    rng = np.random.default_rng(1)
    image = np.zeros((28, 28), np.float32)
    image[4:24, 10:18] = 1
    for _ in range(20):
        photo = photo_of_one(image, rng)
        ((row, column, height, width),) = photo.boxes
        grey = photo.picture @ np.array([0.299, 0.587, 0.114])
        ink = np.median(grey[row : row + height, column : column + width])
        around = grey.copy()
        around[row : row + height, column : column + width] = np.nan
        assert abs(ink - np.nanmedian(around)) > 0.3 * 0.6 * 255 - 65

"""Several digits in one picture: found whole, in reading order, each as it is when alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chainrule.core.errors import DataError
from chainrule.data.dataset import Dataset, Found
from chainrule.digits.preprocess import find, normalize, read_photo
from helpers.photos import pasted

ROW = [(40, 20 + 60 * k) for k in range(7)]


def fractions(found: Found, count: int) -> np.ndarray:
    return found.test.images[:count] / np.float32(255)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_nearly_every_mnist_image_is_one_digit_and_comes_back_unchanged(mnist: Dataset) -> None:
    """Of all 10,000, 9,994, and 9,887 unchanged, the others without specks (measured)."""
    images = mnist.test.images.reshape(-1, 28, 28)[::10]
    one = same = 0
    for image in images:
        digits = find(image)
        one += len(digits) == 1
        same += np.array_equal(digits[0].pixels, image)
    assert one >= 0.998 * len(images)
    assert same >= 0.98 * len(images)


def test_a_phone_number_is_found_in_reading_order(sample: Found) -> None:
    images = fractions(sample, 70)
    for start in range(0, 70, 7):
        chosen = images[start : start + 7]
        digits = find(pasted(chosen, ROW))
        assert [digit.line for digit in digits] == [0] * 7
        for digit, image, place in zip(digits, chosen, ROW, strict=True):
            (alone,) = find(pasted([image], [place]))
            np.testing.assert_allclose(digit.box, alone.box, atol=2)
            assert likeness(digit.pixels, alone.pixels) > 0.85


def test_lines_come_from_top_to_bottom_even_when_they_slant(sample: Found) -> None:
    images = fractions(sample, 12)
    places = [(15 + 90 * line + 8 * k, 20 + 70 * k) for line in range(2) for k in range(6)]
    digits = find(pasted(images, places, shape=(260, 480)))
    assert [digit.line for digit in digits] == [0] * 6 + [1] * 6
    for digit, image, place in zip(digits, images, places, strict=True):
        (alone,) = find(pasted([image], [place], shape=(260, 480)))
        np.testing.assert_allclose(digit.box, alone.box, atol=2)
        assert likeness(digit.pixels, alone.pixels) > 0.85


def test_boxes_hold_the_ink_in_pixels_of_the_picture_that_was_given() -> None:
    image = Image.new("L", (3000, 2000), 255)
    draw = ImageDraw.Draw(image)
    draw.rectangle([400, 500, 459, 899], fill=0)
    draw.rectangle([2000, 510, 2059, 889], fill=0)
    boxes = [digit.box for digit in find(image)]
    expected = [(500, 400, 400, 60), (510, 2000, 380, 60)]
    np.testing.assert_allclose(boxes, expected, atol=4)


def test_dots_dashes_and_a_ruled_line_are_left_out(sample: Found) -> None:
    sheet = pasted(fractions(sample, 7), ROW)
    alone = find(sheet)
    sheet[66:69, 80:86] = 0  # a dash between the first two
    sheet[90:94, 138:142] = 0  # a point behind the second
    sheet[130:132, 5:475] = 0  # a line under all of them
    again = find(sheet)
    assert [digit.box for digit in again] == [digit.box for digit in alone]


def test_the_loose_bar_of_a_five_is_a_part_of_it() -> None:
    image = Image.new("L", (400, 300), 255)
    draw = ImageDraw.Draw(image)
    for x in (60, 240):
        draw.line([(x, 80), (x - 5, 150), (x + 40, 160), (x + 45, 220), (x - 20, 230)], 0, 9)
    draw.line([(68, 68), (110, 62)], 0, 9)
    digits = find(image)
    assert [digit.box[0] < 66 for digit in digits] == [True, False]
    assert len(digits) == 2


def test_one_digit_is_what_normalize_makes_of_it(sample: Found) -> None:
    for image in fractions(sample, 20):
        sheet = pasted([image], [(60, 200)])
        digits = find(sheet)
        assert len(digits) == 1
        np.testing.assert_array_equal(digits[0].pixels, normalize(sheet))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_picture_holds_no_digit(value: int) -> None:
    with pytest.raises(DataError, match="no digit found"):
        find(np.full((300, 200), value, np.uint8))


def test_a_dash_is_no_digit() -> None:
    sheet = np.full((200, 300), 255, np.uint8)
    sheet[90:100, 100:200] = 0
    with pytest.raises(DataError, match="no digit found: only specks, dots or lines"):
        find(sheet)


def test_specks_are_no_digit() -> None:
    sheet = np.full((200, 300), 255, np.uint8)
    sheet[np.random.default_rng(0).random((200, 300)) < 0.003] = 0
    for read in (find, normalize):
        with pytest.raises(DataError, match="no digit found: only specks"):
            read(sheet)


def test_texture_is_no_writing() -> None:
    sheet = np.full((1200, 1200), 255, np.uint8)
    for row in range(0, 1200, 50):
        for column in range(0, 1200, 50):
            sheet[row + 5 : row + 45, column + 10 : column + 20] = 0
    with pytest.raises(DataError, match="no digit found: 576 strokes"):
        find(sheet)


def test_a_photo_that_lies_on_its_side_is_turned_as_its_exif_says(
    sample: Found, tmp_path: Path
) -> None:
    sheet = pasted(fractions(sample, 7), ROW)
    upright = find(sheet)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90 degrees clockwise to show"
    turned = Image.fromarray(np.rot90(sheet).copy())
    turned.save(tmp_path / "photo.png", exif=exif)
    digits = find(read_photo(tmp_path / "photo.png"))
    assert [digit.box for digit in digits] == [digit.box for digit in upright]


def test_a_photo_of_four_million_pixels_is_read(sample: Found) -> None:
    rng = np.random.default_rng(0)
    sheet = np.asarray(Image.fromarray(pasted(fractions(sample, 7), ROW)).resize((2304, 1728)))
    photo = (0.8 * sheet + rng.normal(20, 8, sheet.shape)).clip(0, 255).astype(np.uint8)
    digits = find(photo)
    assert len(digits) == 7
    for digit, (row, column) in zip(digits, ROW, strict=True):
        top, left, height, width = digit.box
        assert abs(top + height / 2 - (row + 28) * 1728 / 200) < 60
        assert abs(left + width / 2 - (column + 28) * 2304 / 480) < 60

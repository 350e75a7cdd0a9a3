"""Each small picture stands where its heading and its row say, pixel by pixel."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from chainrule.plots.grids import corrupted, distorted
from chainrule.plots.style import save
from helpers.pictures import remarks, texts, title, visible_texts


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def copies(G: int = 2, pixels: int = 784) -> dict[str, np.ndarray]:
    return {
        name: pictures(G, 5, pixels) / k for k, name in enumerate(("shift", "noise", "blur"), 1)
    }


WORDS = {"shift": "1 to 5 pixels", "noise": "0.1 to 0.5 of white", "blur": "0.6 to 2.2 pixels"}
FIGURES = {
    "64": lambda: distorted(pictures(64, 784), pictures(64, 784), shape=(28, 28), remark="A bit."),
    "1": lambda: distorted(pictures(1, 784), pictures(1, 784), shape=(28, 28)),
    "13, 20 x 30": lambda: distorted(pictures(13, 600), pictures(13, 600), shape=(20, 30)),
    "9, 300 x 200": lambda: distorted(
        pictures(9, 60_000), pictures(9, 60_000), shape=(300, 200), columns=3
    ),
    "corrupted": lambda: corrupted(pictures(2, 784), copies(), shape=(28, 28), remarks=WORDS),
    "corrupted, 8 x 8": lambda: corrupted(
        pictures(1, 64), copies(1, 64), shape=(8, 8), remarks=WORDS
    ),
}


def tile(figure: Figure, grid: int, row: int, column: int) -> np.ndarray:
    """A picture of 28 x 28 read from the sheet of a grid, two pixels of paper after each."""
    sheet = np.ma.getdata(figure.axes[grid].images[0].get_array())
    return sheet[30 * row : 30 * row + 28, 30 * column : 30 * column + 28]


def test_each_image_and_its_copy_have_the_same_place_left_and_right() -> None:
    images, others = pictures(64, 784), 1 - pictures(64, 784)
    figure = distorted(images, others, shape=(28, 28), remark="Up to: rotation 12 degrees.")
    for grid, drawn in enumerate((images, others)):
        for i, image in enumerate(drawn):
            shown = tile(figure, grid, *divmod(i, 8))
            np.testing.assert_array_equal(shown, image.reshape(28, 28))
    assert [texts(axes) for axes in figure.axes] == [["as they are"], ["distorted"]]
    assert figure.axes[0].get_position().x0 < figure.axes[1].get_position().x0
    assert title(figure) == "64 images and their distortions"
    assert remarks(figure) == "Up to: rotation 12 degrees."


def test_a_last_row_that_is_not_full_ends_in_blank_paper() -> None:
    figure = distorted(pictures(10, 784), pictures(10, 784), shape=(28, 28))
    for grid in (0, 1):
        assert np.isfinite(tile(figure, grid, 1, 1)).all()
        assert np.isnan(tile(figure, grid, 1, 2)).all()


def test_a_single_image_has_its_distortion() -> None:
    assert title(FIGURES["1"]()) == "1 image and its distortions"


def test_rows_are_corruptions_and_columns_severities_after_the_clean_image() -> None:
    images, spoilt = pictures(2, 784), copies()
    figure = corrupted(images, spoilt, shape=(28, 28), remarks=WORDS)
    assert title(figure) == "3 corruptions, severities 1 to 5"
    for grid, image in enumerate(images):
        for row, name in enumerate(spoilt):
            shown = [tile(figure, grid, row, column).ravel() for column in range(6)]
            np.testing.assert_array_equal(shown, [image, *spoilt[name][grid]])
        assert texts(figure.axes[grid])[:6] == ["clean", "1", "2", "3", "4", "5"]
    named = texts(figure.axes[0])[6:]
    assert named == [word for name in spoilt for word in (name, WORDS[name])]
    assert texts(figure.axes[1])[6:] == []


def test_headings_stand_over_their_columns_and_names_beside_their_rows() -> None:
    figure = FIGURES["corrupted"]()
    for axes in figure.axes:
        for column, text in enumerate(axes.texts[:6]):
            x, y = text.get_position()
            assert x == column * 30 + 13.5
            assert y < -0.5
    for row in range(3):
        for text in figure.axes[0].texts[6 + 2 * row : 8 + 2 * row]:
            x, y = text.get_position()
            assert row * 30 < y < row * 30 + 28
            assert x < -0.5


def test_grey_stays_grey_whatever_else_is_on_the_sheet() -> None:
    """A scale stretched from the palest to the darkest pixel would hide a loss of contrast."""
    pale = np.full((2, 784), 0.4, np.float32)
    for axes in distorted(pale, pale, shape=(28, 28)).axes:
        assert axes.images[0].get_clim() == (0, 1)


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_off_and_none_lies_on_another(name: str) -> None:
    figure = FIGURES[name]()
    found = visible_texts(figure)
    width, height = figure.get_size_inches() * figure.dpi
    for text, (left, bottom, right, top) in found:
        inside = left >= 0 and bottom >= 0 and right <= width and top <= height
        assert inside, text.get_text()
    for (one, a), (other, b) in itertools.combinations(found, 2):
        overlap = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        assert not (overlap > 1).all(), (one.get_text(), other.get_text())


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_a_picture_and_no_grid_on_another(name: str) -> None:
    figure = FIGURES[name]()
    found = visible_texts(figure)
    boxes = [axes.get_window_extent().extents for axes in figure.axes]
    for box in boxes:
        for text, extent in found:
            overlap = np.minimum(box[2:], extent[2:]) - np.maximum(box[:2], extent[:2])
            assert not (overlap > 1).all(), text.get_text()
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] < b[0]


@pytest.mark.parametrize("name", FIGURES)
def test_pictures_of_any_size_are_4_to_12_dots_apart(name: str) -> None:
    axes = FIGURES[name]().axes[0]
    blank = np.isnan(np.ma.getdata(axes.images[0].get_array()))
    rows, columns = blank.all(axis=1), blank.all(axis=0)
    dots = axes.get_window_extent().width / columns.size
    assert 4 < dots * columns[::-1].argmin() < 12
    assert 4 < dots * rows[::-1].argmin() < 12


@pytest.mark.parametrize("name", ["64", "1", "13, 20 x 30", "corrupted", "corrupted, 8 x 8"])
def test_each_pixel_is_a_square_of_whole_dots_in_the_file(name: str, tmp_path: Path) -> None:
    figure = FIGURES[name]()
    save(figure, tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as file:
        dots = np.asarray(file.convert("L")).astype(int)
    assert dots.shape[::-1] == tuple(figure.canvas.get_width_height())
    for axes in figure.axes:
        sheet = np.ma.getdata(axes.images[0].get_array())
        left, bottom, right, _top = axes.get_window_extent().extents
        scale = (right - left) / sheet.shape[1]
        assert scale == pytest.approx(round(scale))
        side, first = round(scale), round(dots.shape[0] - bottom - scale * sheet.shape[0])
        height, width = (side * number for number in sheet.shape)
        shown = dots[first : first + height, round(left) : round(left) + width]
        blocks = shown.reshape(sheet.shape[0], side, sheet.shape[1], side)
        assert np.ptp(blocks, axis=(1, 3)).max() == 0
        ink = ~np.isnan(sheet)
        assert np.corrcoef(blocks[:, 0, :, 0][ink], sheet[ink])[0, 1] < -0.99  # ink is dark


def test_the_same_input_gives_the_same_bytes_whatever_the_user_has_set(tmp_path: Path) -> None:
    for name in ("64", "corrupted"):
        save(FIGURES[name](), tmp_path / "one.png")
        with matplotlib.rc_context({"font.size": 20, "image.cmap": "jet", "axes.grid": True}):
            save(FIGURES[name](), tmp_path / "two.png")
        assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize(
    ("images", "others", "columns", "words"),
    [
        (pictures(4, 9), pictures(4, 9), 2, "pictures of 2 x 2 pixels: .* 4 columns"),
        (pictures(0, 4), pictures(0, 4), 2, "give at least one image"),
        (pictures(4, 4), pictures(4, 4), 0, "at least one column"),
    ],
)
def test_distortions_that_do_not_fit_are_refused(
    images: np.ndarray, others: np.ndarray, columns: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        distorted(images, others, shape=(2, 2), columns=columns)


@pytest.mark.parametrize(
    ("spoilt", "named", "words"),
    [
        ({}, {}, "at least one corruption"),
        ({"shift": pictures(2, 5, 4)}, {"noise": ""}, r"copies \['shift'\].*\['noise'\]"),
        ({"a": pictures(2, 5, 4), "b": pictures(2, 3, 4)}, {"a": "", "b": ""}, "same number"),
    ],
)
def test_corruptions_that_do_not_fit_are_refused(
    spoilt: dict[str, np.ndarray], named: dict[str, str], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        corrupted(pictures(2, 4), spoilt, shape=(2, 2), remarks=named)


def test_shapes_are_checked_where_no_test_checks_them() -> None:
    """A user's process never loads jaxtyping."""
    program = """
import numpy as np
from chainrule.plots.grids import corrupted, distorted
two = np.zeros((2, 4))
for draw in (
    lambda: distorted(two, np.zeros((3, 4)), shape=(2, 2)),
    lambda: corrupted(two, {"a": np.zeros((3, 5, 4))}, shape=(2, 2), remarks={"a": ""}),
    lambda: corrupted(two, {"a": np.zeros((2, 5, 9))}, shape=(2, 2), remarks={"a": ""}),
):
    try:
        draw()
    except ValueError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    one, two, three = done.stdout.splitlines()
    assert one.endswith("give one copy of each image, and at least one column")
    assert two.startswith("copies of 3 images of 4 pixels for images of shape (2, 4)")
    assert three.startswith("copies of 2 images of 9 pixels for images of shape (2, 4)")

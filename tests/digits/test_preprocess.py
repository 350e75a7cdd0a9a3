from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from chainrule.core.errors import DataError
from chainrule.data.dataset import Dataset, Found
from chainrule.digits.preprocess import normalize, read_image
from helpers.photos import BOMB


def centre(image: np.ndarray) -> tuple[float, float]:
    """Centre of mass (row, column), 0-based, from SciPy's definition: sum(i * m) / sum(m)."""
    rows, columns = np.indices(image.shape)
    mass = image.astype(np.float64)
    return float((rows * mass).sum() / mass.sum()), float((columns * mass).sum() / mass.sum())


def box(image: np.ndarray) -> tuple[int, int]:
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def seven(width: int = 600, height: int = 600, *, ink: int = 0, paper: int = 255) -> Image.Image:
    """A seven in straight strokes, off the middle."""
    image = Image.new("L", (width, height), paper)
    draw = ImageDraw.Draw(image)
    left, top, side = width // 10, height // 8, min(width, height) // 2
    draw.line([(left, top), (left + side, top)], ink, side // 8)
    draw.line([(left + side, top), (left + side // 3, top + side)], ink, side // 8)
    return image


def test_mnist_test_images_are_fixed_points(mnist: Dataset) -> None:
    """All 10,000 are (measured); every 20th is looked at here, and those with a box of 19."""
    images = mnist.test.images.reshape(-1, 28, 28)
    short = [image for image in images if max(box(image)) == 19]
    assert len(short) == 3
    for image in [*images[::20], *short]:
        np.testing.assert_array_equal(normalize(image), image)


def test_dark_on_light_gives_the_same_bits_as_light_on_dark(sample: Found) -> None:
    for image in sample.test.images:
        np.testing.assert_array_equal(normalize(255 - image), image / np.float32(255))


@pytest.mark.parametrize("shift", [(-4, 3), (2, -4), (4, 4)])
def test_a_shifted_digit_comes_back_to_its_place(sample: Found, shift: tuple[int, int]) -> None:
    found = []
    for image in sample.test.images:
        moved = np.zeros((40, 40), np.uint8)
        moved[6 + shift[0] : 34 + shift[0], 6 + shift[1] : 34 + shift[1]] = image
        found.append(likeness(normalize(moved), image))
    assert np.mean(found) > 0.99


@pytest.mark.parametrize("scale", [3, 10, 40])
def test_an_enlarged_digit_looks_as_before(sample: Found, scale: int) -> None:
    """Where a box is one pixel off, strokes shift by half a pixel; 0.95 is measured."""
    found = []
    for image in sample.test.images[:40]:
        large = Image.fromarray(255 - image).resize((28 * scale, 28 * scale))
        found.append(likeness(normalize(large), image))
    assert np.mean(found) > 0.94


@pytest.mark.parametrize(
    ("width", "height"), [(600, 600), (2000, 1500), (300, 90), (60, 200), (42, 60)]
)
@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (90, 180), (200, 60)])
def test_any_size_and_polarity_gives_mnists_frame(
    width: int, height: int, ink: int, paper: int
) -> None:
    result = normalize(seven(width, height, ink=ink, paper=paper))
    assert result.shape == (28, 28)
    assert result.dtype == np.float32
    assert result.min() == 0
    assert 0.99 <= result.max() <= 1
    assert max(box(result)) in (19, 20)
    for middle in centre(result):
        assert 13.5 - 1e-6 <= middle < 14.5 + 1e-6


def test_both_polarities_of_a_drawing_agree() -> None:
    dark, light = seven(), ImageOps.invert(seven())
    np.testing.assert_allclose(normalize(dark), normalize(light), atol=1e-5)


def test_colour_and_transparency_do_not_matter() -> None:
    plain = normalize(seven())
    colour = np.asarray(seven().convert("RGB"))
    np.testing.assert_array_equal(normalize(colour), plain)
    np.testing.assert_array_equal(normalize(colour / 255), plain)
    ink = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    ink.paste((0, 0, 0, 255), mask=ImageOps.invert(seven()))
    np.testing.assert_allclose(normalize(ink), plain, atol=1e-5)
    light = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    light.paste((255, 255, 255, 255), mask=ImageOps.invert(seven()))
    np.testing.assert_allclose(normalize(light), plain, atol=1e-5)


def test_a_photo_with_noise_and_light_from_one_side_is_read(tmp_path: Path) -> None:
    clean = normalize(seven())
    rng = np.random.default_rng(0)
    light = np.linspace(0.55, 1, 600)[:, None] * np.linspace(0.8, 1, 600)
    photo = np.asarray(seven(ink=40, paper=230)) * light + rng.normal(0, 6, (600, 600))
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(path, quality=85)
    result = read_image(path)
    assert likeness(result, clean) > 0.97
    assert np.count_nonzero(result) < 1.5 * np.count_nonzero(clean)


def test_a_big_photo_is_read(tmp_path: Path) -> None:
    """12 million pixels, as phones take them."""
    path = tmp_path / "photo.jpg"
    seven(4032, 3024).save(path)
    assert likeness(read_image(path), normalize(seven(4032, 3024))) > 0.99


def test_a_stroke_one_pixel_wide_is_a_digit() -> None:
    image = np.full((100, 100), 255, np.uint8)
    image[20:80, 50] = 0
    result = normalize(image)
    assert box(result) == (20, 1)
    assert 13.5 <= centre(result)[0] < 14.5


@pytest.mark.parametrize("value", [0, 20, 128, 255])
@pytest.mark.parametrize("size", [(28, 28), (300, 200), (1, 1)])
def test_a_blank_picture_holds_no_digit(value: int, size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="no digit found"):
        normalize(Image.new("L", size, value))
    with pytest.raises(DataError, match="no digit found"):
        normalize(np.full(size, value, np.uint8))


def test_an_untouched_transparent_canvas_holds_no_digit() -> None:
    with pytest.raises(DataError, match="no digit found"):
        normalize(Image.new("RGBA", (280, 280), (0, 0, 0, 0)))


def test_faint_noise_holds_no_digit() -> None:
    noise = np.random.default_rng(0).normal(200, 3, (200, 200)).clip(0, 255).astype(np.uint8)
    with pytest.raises(DataError, match="no digit found"):
        normalize(noise)


def test_strong_noise_holds_no_digit() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    with pytest.raises(DataError, match="nothing stands out of the noise"):
        normalize(noise)


@pytest.mark.parametrize(
    "array",
    [
        np.full((28, 28), np.nan),
        np.full((28, 28), np.inf),
        np.full((28, 28), 2.0),
        np.full((28, 28), -0.1),
        np.full((28, 28), 300),
        np.full((28, 28), -1),
        np.zeros((28, 28, 2), np.uint8),
        np.zeros(784, np.uint8),
        np.zeros((0, 28), np.uint8),
        np.full((28, 28), "x"),
    ],
)
def test_an_array_that_is_no_picture_is_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match="no digit found"):
        normalize(array)


def test_a_blank_file_is_named(tmp_path: Path) -> None:
    Image.new("L", (30, 30), 255).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match=r"blank\.png: no digit found"):
        read_image(tmp_path / "blank.png")


def test_a_photo_above_the_caps_is_refused(tmp_path: Path) -> None:
    Image.new("L", (20_000, 2)).save(tmp_path / "wide.png")
    with pytest.raises(DataError, match=r"wide\.png is 20000x2"):
        read_image(tmp_path / "wide.png")
    with pytest.raises(DataError, match=r"65535x65535 is far too large: at most [0-9]+ a side"):
        read_image(BOMB)


def test_a_text_file_is_no_digit(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("seven")
    with pytest.raises(DataError, match="not a whole PNG or JPEG"):
        read_image(str(tmp_path / "a.png"))

"""Paper of any colour, under any light, is told from what is drawn on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from chainrule.core.errors import DataError
from chainrule.data.dataset import Found
from chainrule.digits.ink import WORKING_SIDE, fitted, paper, planes, quadratic, scaled
from chainrule.digits.preprocess import find, normalize
from helpers.photos import pasted

HEIGHT, WIDTH = 300, 400
DOWN, ACROSS = np.meshgrid(np.linspace(-1, 1, HEIGHT), np.linspace(-1, 1, WIDTH), indexing="ij")
LIGHTS: dict[str, np.ndarray] = {
    "even": np.ones((HEIGHT, WIDTH)),
    "from one side": 0.75 + 0.25 * ACROSS,
    "from a corner": 0.7 + 0.15 * ACROSS + 0.15 * DOWN,
    "a vignette": 1 - 0.25 * (DOWN**2 + ACROSS**2),
    "a lamp": 1 / (1 + 0.2 * ((DOWN - 0.6) ** 2 + (ACROSS + 0.5) ** 2)),
    "a soft shadow": 1 - 0.25 / (1 + np.float64(np.e) ** (-8 * (ACROSS - 0.3))),
}


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def lit(sheet: np.ndarray, light: np.ndarray, *, noise: float = 4.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (sheet * light + rng.normal(0, noise, sheet.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", LIGHTS)
@pytest.mark.parametrize("dark", [True, False])
def test_a_digit_is_read_whatever_the_light(sample: Found, name: str, dark: bool) -> None:
    found = []
    for number, image in enumerate(sample.test.images[:10]):
        sheet = pasted([image / 255], [(60, 150)], shape=(HEIGHT, WIDTH), side=140) * (200 / 255)
        photo = lit(sheet + 30 if dark else 230 - sheet, LIGHTS[name], seed=number)
        digits = find(photo)
        assert len(digits) == 1
        found.append(likeness(digits[0].pixels, image))
    assert np.mean(found) > 0.88


@pytest.mark.parametrize("name", [name for name in LIGHTS if "shadow" not in name])
@pytest.mark.parametrize("noise", [0.0, 1.0, 6.0, 20.0])
@pytest.mark.parametrize("read", [find, normalize])
def test_paper_without_a_digit_holds_none_whatever_the_light(
    read: Callable[[np.ndarray], object], noise: float, name: str
) -> None:
    for seed in range(3):
        photo = lit(np.full((HEIGHT, WIDTH), 220.0), LIGHTS[name], noise=noise, seed=seed)
        with pytest.raises(DataError, match="no digit found"):
            read(photo)


@pytest.mark.parametrize("quality", [90, 50, 20])
def test_blocks_of_a_jpeg_are_no_ink(
    sample: Found, tmp_path_factory: pytest.TempPathFactory, quality: int
) -> None:
    path = tmp_path_factory.mktemp("jpeg") / "photo.jpg"
    found = []
    for image in sample.test.images[:10]:
        sheet = pasted([image / 255], [(60, 150)], shape=(HEIGHT, WIDTH), side=100)
        Image.fromarray(lit(sheet, LIGHTS["from a corner"])).save(path, quality=quality)
        digits = find(Image.open(path))
        assert len(digits) == 1
        found.append(likeness(digits[0].pixels, image))
    assert np.mean(found) > 0.88


@pytest.mark.parametrize(
    ("ink", "paper_colour"),
    [
        ((255, 255, 0), (255, 255, 255)),
        ((200, 0, 0), (0, 102, 0)),
        ((0, 90, 255), (170, 60, 20)),
        ((20, 30, 120), (240, 235, 220)),
    ],
)
def test_ink_and_paper_that_differ_in_colour_alone_are_told_apart(
    sample: Found, ink: tuple[int, int, int], paper_colour: tuple[int, int, int]
) -> None:
    for image in sample.test.images[:5]:
        cover = 1 - pasted([image / 255], [(60, 150)], shape=(HEIGHT, WIDTH), side=140) / 255
        picture = np.array(paper_colour) + cover[:, :, None] * np.subtract(ink, paper_colour)
        for alpha in ([], [np.full((HEIGHT, WIDTH, 1), 255.0)]):
            result = normalize(np.concatenate([picture, *alpha], axis=2).astype(np.uint8))
            assert likeness(result, image) > 0.9


def test_the_fit_is_the_least_squares_of_numpy() -> None:
    rng = np.random.default_rng(0)
    terms = quadratic(np.linspace(-1, 1, 12), np.linspace(-1, 1, 15))
    heights, weights = rng.random(180), rng.random(180)
    root = np.sqrt(weights)
    expected = np.linalg.lstsq(terms * root[:, None], heights * root, rcond=None)[0]
    np.testing.assert_allclose(fitted(terms, heights, weights), expected, atol=1e-5)


def test_the_paper_under_thick_ink_is_found() -> None:
    light = 0.6 + 0.1 * ACROSS - 0.05 * DOWN + 0.04 * DOWN * ACROSS - 0.08 * ACROSS**2
    drawn = light.copy()
    drawn[60:260, 100:180] -= 0.5
    drawn[60:120, 180:300] -= 0.5  # a quarter of the picture is ink
    np.testing.assert_allclose(paper(drawn), light, atol=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 40), (1, 3000), (3000, 2)])
def test_paper_of_a_few_pixels_has_a_surface_too(shape: tuple[int, int]) -> None:
    surface = paper(np.random.default_rng(0).random(shape))
    assert surface.shape == shape
    assert np.isfinite(surface).all()


def test_large_pictures_are_averaged_down() -> None:
    values = next(planes(np.tile(np.array([0, 255], np.uint8), (1000, 2000))))
    assert values.shape == (320, WORKING_SIDE)
    assert values[:, 5:-5].std() < 0.05
    fractions = next(planes(np.tile(np.array([0.0, 1.0]), (1000, 2000))))
    np.testing.assert_array_equal(fractions, values)


@pytest.mark.parametrize(("side", "result"), [(1, 1), (10, 5), (11, 6), (13, 7), (0, 1)])
def test_sides_are_rounded_half_up_and_never_vanish(side: int, result: int) -> None:
    assert scaled(side, 1, 2) == result


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 30), (30, 1), (2, 2), (28, 28), (29, 29), (1, 3000), (3000, 2), (60, 60)]
)
@pytest.mark.parametrize("read", [find, normalize])
def test_any_picture_is_a_digit_or_a_reason(
    read: Callable[[np.ndarray], object], shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    for share in np.linspace(0, 1, 12):
        inked = np.where(rng.random(shape) < share, 0, 255).astype(np.uint8)
        for picture in (inked, rng.integers(0, 256, (*shape, 4), np.uint8), rng.random(shape)):
            reason = ""
            try:
                read(picture)
            except DataError as error:
                reason = str(error)
            assert not reason or reason.startswith("no digit found: ")

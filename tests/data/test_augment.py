"""Distorted images are those that scipy.ndimage makes of the same amounts, in any batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.augment import Distorter, Distortion, blur, elastic_basis

SHAPES = [(28, 28), (8, 8), (20, 30)]
EVERYTHING = Distortion(
    rotation=30.0, scaling=0.3, shear=20.0, shift=3.0, elastic=36.0, elastic_sigma=5.0
)
OUTSIDE = "grid-constant"
"""SciPy's name for black around the image, into which it interpolates; "constant" jumps to it."""


class Extreme(np.random.Generator):
    """Draws the highest amount each time, or the lowest."""

    def __init__(self, *, highest: bool) -> None:
        super().__init__(np.random.PCG64(0))
        self.highest = highest

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return np.full(size, high if self.highest else low)


def pictures(N: int, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((N, shape[0] * shape[1]), dtype=np.float32)


def distorted(
    images: np.ndarray, shape: tuple[int, int], distortion: Distortion, seed: int = 1
) -> np.ndarray:
    return Distorter(shape, distortion)(
        images, np.random.default_rng(seed), np.full_like(images, np.nan)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_coordinates_give_scipys_images(shape: tuple[int, int]) -> None:
    images, distorter = pictures(20, shape), Distorter(shape, EVERYTHING)
    result = distorter(images, np.random.default_rng(1), np.empty_like(images))
    C = distorter.coefficients(20, np.random.default_rng(1))
    at = (C.astype(float) @ distorter.basis).reshape(2, 20, *shape)
    for i, image in enumerate(images):
        expected = scipy.ndimage.map_coordinates(
            image.reshape(shape), at[:, i], order=1, mode=OUTSIDE
        )
        np.testing.assert_allclose(result[i].reshape(shape), expected, atol=1e-5)


AFFINE = {
    "rotation": Distortion(rotation=25.0),
    "scaling": Distortion(scaling=0.2),
    "shear": Distortion(shear=15.0),
    "shift": Distortion(shift=2.25),
    "all of them": Distortion(rotation=25.0, scaling=0.2, shear=15.0, shift=2.25),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("highest", [True, False])
@pytest.mark.parametrize("name", AFFINE)
def test_fixed_amounts_are_scipys_affine_transform_about_the_centre(
    name: str, highest: bool, shape: tuple[int, int]
) -> None:
    d, sign = AFFINE[name], 1 if highest else -1
    angle, lean = np.radians(sign * d.rotation), np.radians(sign * d.shear)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = (1 + sign * d.scaling) * np.array([[1, 0], [np.tan(lean), 1]]) @ turn
    centre = (np.array(shape) - 1) / 2
    images = pictures(3, shape)
    result = Distorter(shape, d)(images, Extreme(highest=highest), np.empty_like(images))
    for image, ours in zip(images, result, strict=True):
        expected = scipy.ndimage.affine_transform(
            image.reshape(shape).astype(float),
            matrix,
            offset=centre - matrix @ centre + sign * d.shift,
            order=1,
            mode=OUTSIDE,
        )
        np.testing.assert_allclose(ours.reshape(shape), expected, atol=1e-5)


def test_a_rotation_is_in_degrees_and_a_shift_in_pixels() -> None:
    image = pictures(1, (28, 28))
    square = image.reshape(28, 28).astype(float)
    for distortion, expected in (
        (Distortion(rotation=25.0), scipy.ndimage.rotate(
            square, 25, reshape=False, order=1, mode=OUTSIDE
        )),
        (Distortion(rotation=90.0), np.rot90(square)),
        (Distortion(shift=2.25), scipy.ndimage.shift(square, -2.25, order=1, mode=OUTSIDE)),
    ):  # fmt: skip
        result = Distorter((28, 28), distortion)(image, Extreme(highest=True), image.copy())
        np.testing.assert_allclose(result.reshape(28, 28), expected, atol=2e-5)


@pytest.mark.parametrize("sigma", [1.5, 4.0, 5.0, 8.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_elastic_field_varies_as_blurred_noise_does(
    shape: tuple[int, int], sigma: float
) -> None:
    """SciPy blurs each pixel alone: that is how each one of the noise moves all others."""
    pixels = shape[0] * shape[1]
    spread = scipy.ndimage.gaussian_filter(
        np.eye(pixels).reshape(pixels, *shape), (0, sigma, sigma), mode="constant", truncate=8
    ).reshape(pixels, pixels)
    expected = spread.T @ spread * scipy.stats.uniform(-1, 2).var()
    basis = elastic_basis(*shape, sigma).astype(float)
    np.testing.assert_allclose(basis.T @ basis, expected, atol=0.005 * expected.max())
    assert 0.999 <= np.trace(basis.T @ basis) / np.trace(expected) < 1


def test_fields_that_are_drawn_vary_as_simards_do() -> None:
    """Sampling errors: 1 % of a variance, 0.01 of a correlation; seeds are fixed."""
    draws, shape, rng = 20_000, (28, 28), np.random.default_rng(0)
    simard = 36 * scipy.ndimage.gaussian_filter(
        rng.uniform(-1, 1, (draws, *shape)), (0, 5, 5), mode="constant", cval=0
    ).reshape(draws, -1)
    distorter = Distorter(shape, Distortion(elastic=36.0, elastic_sigma=5.0))
    C = distorter.coefficients(draws, rng)
    terms = len(distorter.basis) - 3
    for axis in (0, 1):
        field = C[axis, :, :terms] @ distorter.basis[:terms]
        ratio = field.var(axis=0) / simard.var(axis=0)
        assert ratio.mean() == pytest.approx(1, abs=0.02)
        assert np.abs(ratio - 1).max() < 0.07
        for neighbour in (1, 3, 28, 29, 10):
            ours, theirs = (
                np.corrcoef(f[:, 14 * 28 + 14], f[:, 14 * 28 + 14 + neighbour])[0, 1]
                for f in (field, simard)
            )
            assert ours == pytest.approx(theirs, abs=0.02)
    vertical, horizontal = (C[axis, :, 0] for axis in (0, 1))
    assert abs(np.corrcoef(vertical, horizontal)[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("sigma", "alpha", "terms", "pixels"),
    [(4.0, 34, 35, 1.38), (5.0, 36, 23, 1.17), (6.0, 36, 17, 0.98), (8.0, 36, 11, 0.72)],
)
def test_terms_and_pixels_of_known_fields(
    sigma: float, alpha: float, terms: int, pixels: float
) -> None:
    """Computed apart from this code: terms for 99.9 % of the energy, and the root mean square of
    the displacement in the middle."""
    basis = elastic_basis(28, 28, sigma)
    assert len(basis) == terms
    middle = basis.reshape(terms, 28, 28)[:, 13:15, 13:15]
    assert alpha * np.sqrt((middle**2).sum(axis=0).mean()) == pytest.approx(pixels, abs=0.006)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 9.0])
@pytest.mark.parametrize("side", [1, 8, 28])
def test_the_blur_is_scipys(side: int, sigma: float) -> None:
    expected = scipy.ndimage.gaussian_filter1d(
        np.eye(side), sigma, axis=0, mode="constant", truncate=8
    )
    np.testing.assert_allclose(blur(side, sigma), expected, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_distortion_of_nothing_is_false_and_changes_no_bit(shape: tuple[int, int]) -> None:
    assert not Distortion()
    assert not Distortion(elastic_sigma=9.0)
    images = pictures(40, shape)
    np.testing.assert_array_equal(distorted(images, shape, Distortion()), images)


@pytest.mark.parametrize("name", ["rotation", "scaling", "shear", "shift", "elastic"])
def test_each_amount_alone_makes_a_distortion_and_changes_images(name: str) -> None:
    alone = replace(Distortion(), **{name: 0.1})
    assert alone
    images = pictures(3, (28, 28))
    assert np.all(np.any(distorted(images, (28, 28), alone) != images, axis=1))


def test_one_seed_gives_the_same_bits_and_another_seed_others() -> None:
    images = pictures(70, (28, 28))
    first, again, other = (distorted(images, (28, 28), EVERYTHING, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_two_images_are_distorted_alike() -> None:
    images = np.tile(pictures(1, (28, 28)), (100, 1))
    assert len(np.unique(distorted(images, (28, 28), EVERYTHING), axis=0)) == 100


def test_what_a_distorter_did_before_leaves_no_trace() -> None:
    used = Distorter((28, 28), EVERYTHING)
    for N in (100, 1, 33):
        used(pictures(N, (28, 28), seed=N), np.random.default_rng(N), np.empty((N, 784), "f4"))
    images = pictures(50, (28, 28))
    result = used(images, np.random.default_rng(1), np.empty_like(images))
    np.testing.assert_array_equal(result, distorted(images, (28, 28), EVERYTHING))


def test_whatever_leaves_the_image_is_black() -> None:
    white = np.ones((40, 20 * 30), np.float32)
    result = Distorter((20, 30), Distortion(shift=3.0))(
        white, Extreme(highest=True), np.empty_like(white)
    ).reshape(40, 20, 30)
    expected = np.zeros((40, 20, 30))
    expected[:, :-3, :-3] = 1
    np.testing.assert_array_equal(result, expected)
    far = Distorter((20, 30), Distortion(shift=1e6))
    assert not far(white, Extreme(highest=False), np.empty_like(white)).any()


@pytest.mark.parametrize("N", [0, 1, 31, 32, 33, 100])
def test_a_batch_of_any_size_is_written_whole(N: int) -> None:
    images = pictures(N, (28, 28))
    result = distorted(images, (28, 28), EVERYTHING)
    assert np.isfinite(result).all()
    assert np.all(result.max(axis=1) > 0)


@settings(deadline=None)
@given(
    N=st.integers(1, 40),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    distortion=st.builds(
        Distortion,
        rotation=st.floats(0, 180),
        scaling=st.floats(0, 0.9),
        shear=st.floats(0, 80),
        shift=st.floats(0, 50),
        elastic=st.floats(0, 200),
        elastic_sigma=st.floats(0.5, 10),
    ),
    seed=st.integers(0, 99),
)
def test_no_pixel_is_darker_than_black_or_brighter_than_the_brightest(
    N: int, shape: tuple[int, int], distortion: Distortion, seed: int
) -> None:
    images = pictures(N, shape, seed)
    result = distorted(images, shape, distortion, seed)
    assert np.isfinite(result).all()
    assert np.all(result >= 0)
    assert np.all(result <= images.max(axis=1, keepdims=True) * (1 + 1e-6))


def test_amounts_are_uniform_up_to_their_bounds_and_do_not_depend_on_each_other() -> None:
    """Read back from the coefficients of 1, x and y: rows are scaled, turned, and lean."""
    distorter = Distorter((28, 28), replace(EVERYTHING, elastic=0.0))
    vertical, horizontal = distorter.coefficients(5000, np.random.default_rng(0)).astype(float)
    angle = np.arctan2(vertical[:, 1], vertical[:, 2])
    across = horizontal[:, 1] * np.cos(angle) - horizontal[:, 2] * np.sin(angle)
    leaning = horizontal[:, 1] * np.sin(angle) + horizontal[:, 2] * np.cos(angle)
    found = {
        "rotation": (np.degrees(angle), 30.0),
        "height": (np.hypot(vertical[:, 1], vertical[:, 2]) - 1, 0.3),
        "width": (across - 1, 0.3),
        "shear": (np.degrees(np.arctan(leaning / across)), 20.0),
        "down": (vertical[:, 0] - 13.5, 3.0),
        "right": (horizontal[:, 0] - 13.5, 3.0),
    }
    for name, (values, bound) in found.items():
        assert np.abs(values).max() <= bound * (1 + 1e-5), name
        assert min(values.max(), -values.min()) > 0.99 * bound, name
        uniform = scipy.stats.uniform(-bound, 2 * bound)
        assert scipy.stats.kstest(values, uniform.cdf).pvalue > 0.001, name
    correlation = np.corrcoef([values for values, _ in found.values()])
    np.testing.assert_allclose(correlation, np.eye(6), atol=0.06)

"""Each corruption does what SciPy does with the same amount, more of it each severity."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
from chainrule.data.dataset import Dataset

SHAPES = [(28, 28), (8, 8), (20, 30)]
NAMES = list(CORRUPTIONS)
TWO_SIDED = ["rotation", "scale", "thickness"]


def pictures(N: int, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((N, shape[0] * shape[1]), dtype=np.float32)


def spoilt(
    name: str,
    images: np.ndarray,
    severity: int = 3,
    *,
    shape: tuple[int, int] = (28, 28),
    seed: int = 0,
) -> np.ndarray:
    return CORRUPTIONS[name](images, shape, severity, np.random.default_rng(seed))


def each_is_one_of(results: np.ndarray, choices: list[list[np.ndarray]]) -> np.ndarray:
    """For each picture, which of its choices it agrees with to 1e-5; how often each is taken."""
    taken = np.zeros(len(choices[0]), int)
    for result, options in zip(results, choices, strict=True):
        off = [np.abs(result - option.ravel()).max() for option in options]
        assert min(off) < 1e-5
        taken[np.argmin(off)] += 1
    return taken


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_shift_is_scipys_along_one_axis_or_both(severity: int) -> None:
    images = pictures(200, (28, 28))
    ways = [way for way in itertools.product((-1, 0, 1), repeat=2) if any(way)]
    taken = each_is_one_of(
        spoilt("shift", images, severity),
        [
            [
                scipy.ndimage.shift(image.reshape(28, 28), np.multiply(way, severity), order=0)
                for way in ways
            ]
            for image in images
        ],
    )
    assert scipy.stats.chisquare(taken).pvalue > 0.001


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_rotation_is_scipys_to_the_left_or_to_the_right(
    severity: int, shape: tuple[int, int]
) -> None:
    angle = {1: 8, 2: 16, 3: 24, 4: 32, 5: 40}[severity]
    images = pictures(60, shape)
    taken = each_is_one_of(
        spoilt("rotation", images, severity, shape=shape),
        [
            [
                scipy.ndimage.rotate(
                    image.reshape(shape), side * angle, reshape=False, order=1,
                    mode="grid-constant",
                )
                for side in (1, -1)
            ]
            for image in images
        ],
    )  # fmt: skip
    assert min(taken) > 15


@pytest.mark.parametrize("shape", SHAPES)
def test_a_scale_is_scipys_larger_or_smaller_about_the_centre(shape: tuple[int, int]) -> None:
    images, centre = pictures(60, shape), (np.array(shape) - 1) / 2
    taken = each_is_one_of(
        spoilt("scale", images, 5, shape=shape),
        [
            [
                scipy.ndimage.affine_transform(
                    image.reshape(shape), [1 / size, 1 / size], offset=centre * (1 - 1 / size),
                    order=1, mode="grid-constant",
                )
                for size in (1.5, 1 / 1.5)
            ]
            for image in images
        ],
    )  # fmt: skip
    assert min(taken) > 15


def test_noise_is_normal_around_the_image_and_stays_within_black_and_white() -> None:
    grey = np.full((100, 784), 0.5, np.float32)
    error = spoilt("noise", grey, 1) - grey
    assert scipy.stats.kstest(error.ravel(), scipy.stats.norm(0, 0.1).cdf).pvalue > 0.001
    strong = spoilt("noise", grey, 5)
    assert (strong.min(), strong.max()) == (0, 1)
    assert np.mean(strong == 1) == pytest.approx(scipy.stats.norm.sf(1), abs=0.01)


@pytest.mark.parametrize("shape", [(28, 28), (28, 40)])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_blur_is_scipys(severity: int, shape: tuple[int, int]) -> None:
    sigma = {1: 0.6, 2: 1.0, 3: 1.4, 4: 1.8, 5: 2.2}[severity]
    images = pictures(5, shape)
    expected = scipy.ndimage.gaussian_filter(
        images.reshape(-1, *shape), (0, sigma, sigma), mode="constant", truncate=8
    )
    found = spoilt("blur", images, severity, shape=shape)
    np.testing.assert_allclose(found, expected.reshape(5, -1), atol=1e-5)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_the_spread_and_keeps_the_mean(severity: int, mnist: Dataset) -> None:
    images = mnist.test.images[:50]
    found = spoilt("contrast", images, severity)
    amount = {1: 0.85, 2: 0.7, 3: 0.55, 4: 0.4, 5: 0.25}[severity]
    np.testing.assert_allclose(found.mean(axis=1), images.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(np.ptp(found, axis=1), amount * np.ptp(images, axis=1), atol=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_an_occlusion_is_one_black_square_on_the_ink(severity: int) -> None:
    side = 2 * severity
    images = pictures(300, (28, 28)) + np.float32(0.1)
    images[:, :392] = 0  # no ink in the upper half
    found = spoilt("occlusion", images, severity)
    gone = found != images
    assert not found[gone].any()
    whole = 0
    for one in gone.reshape(-1, 28, 28):
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        assert rows.size
        assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert max(rows.size, columns.size) <= side
        whole += rows.size == columns.size == side
    assert whole > 30  # the others reach over the edge
    assert len(np.unique(gone, axis=0)) > 100


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("N", [0, 1, 33])
def test_copies_are_images_again_and_the_images_stay_as_they_were(
    N: int, shape: tuple[int, int], name: str
) -> None:
    images = pictures(N, shape)
    before = images.copy()
    for severity in SEVERITIES:
        found = spoilt(name, images, severity, shape=shape)
        assert found.dtype == np.float32
        assert found.shape == images.shape
        assert np.all((found >= 0) & (found <= 1 + 1e-6))
        assert not np.shares_memory(found, images)
    np.testing.assert_array_equal(images, before)


@settings(deadline=None, max_examples=30)
@given(
    name=st.sampled_from(NAMES),
    severity=st.sampled_from(SEVERITIES),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    value=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_small_and_even_images_are_spoilt_without_a_warning(
    name: str, severity: int, shape: tuple[int, int], value: float
) -> None:
    images = np.full((3, shape[0] * shape[1]), value, np.float32)
    found = spoilt(name, images, severity, shape=shape)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", NAMES)
def test_each_severity_is_stronger_than_the_one_before(name: str, mnist: Dataset) -> None:
    images = mnist.test.images[:500]
    distances = np.array(
        [np.abs(spoilt(name, images, severity) - images).sum(axis=1) for severity in SEVERITIES]
    )
    means = distances.mean(axis=1)
    assert np.all(np.diff(means) > 0.05 * means[0])
    assert np.mean(distances[-1] > distances[0]) > 0.98


@pytest.mark.parametrize("name", TWO_SIDED)
def test_severities_differ_in_strength_alone(name: str, mnist: Dataset) -> None:
    """Of one seed: an image that is turned left stays turned left; so its copies resemble."""
    images = mnist.test.images[:200]
    step = np.abs(spoilt(name, images, 2) - spoilt(name, images, 1)).sum()
    other = np.abs(spoilt(name, images, 2, seed=1) - spoilt(name, images, 1)).sum()
    assert step < 0.8 * other


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_the_same_bits_whatever_images_follow(name: str) -> None:
    images = pictures(70, (28, 28))
    whole = spoilt(name, images)
    np.testing.assert_array_equal(spoilt(name, images), whole)
    np.testing.assert_array_equal(spoilt(name, images[:33]), whole[:33])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("blur", "contrast")])
def test_another_seed_gives_other_copies(name: str) -> None:
    images = pictures(20, (28, 28))
    assert not np.array_equal(spoilt(name, images), spoilt(name, images, seed=1))


@pytest.mark.parametrize("name", ["shift", "blur", "thickness", "occlusion"])
def test_lengths_grow_with_the_image(name: str) -> None:
    """Twice as large and then spoilt, or spoilt and then twice as large."""
    images = np.zeros((30, 28, 28), np.float32)
    images[:, 10:18, 9:17] = 1
    large = images.repeat(2, axis=1).repeat(2, axis=2).reshape(30, -1)
    after = spoilt(name, images.reshape(30, -1), 4).reshape(30, 28, 28)
    before = spoilt(name, large, 4, shape=(56, 56)).reshape(30, 28, 2, 28, 2).mean(axis=(2, 4))
    if name == "occlusion":
        assert before.sum() == pytest.approx(after.sum(), rel=0.15)  # other spots
    else:
        assert np.abs(before - after).mean() < 0.01


FINGERPRINTS = {
    "shift": (0.1175374, 0.0572821),
    "rotation": (0.1189414, 0.0584430),
    "scale": (0.1359031, 0.0673653),
    "noise": (0.2405740, 0.1194347),
    "blur": (0.1187361, 0.0585411),
    "thickness": (0.1397597, 0.0707527),
    "contrast": (0.1189833, 0.0590250),
    "occlusion": (0.0912433, 0.0448688),
}
"""Of the copies of severity 4: the mean brightness, and one that weighs each pixel differently."""


@pytest.mark.parametrize("name", NAMES)
def test_the_copies_are_those_that_published_figures_were_measured_on(
    name: str, mnist: Dataset
) -> None:
    """Whoever changes a corruption measures anew whatever was measured on it."""
    found = spoilt(name, mnist.test.images[:200], 4).astype(np.float64)
    weights = np.arange(found.size).reshape(found.shape) % 997 / 997
    fingerprint = found.mean(), (found * weights).mean()
    assert fingerprint == pytest.approx(FINGERPRINTS[name], abs=2e-6)


@pytest.mark.parametrize("severity", [0, 6, -1])
def test_a_severity_that_is_not_one_of_five_is_refused(severity: int) -> None:
    with pytest.raises(ValueError, match=rf"^severity {severity}: choose one of \(1, 2, 3, 4, 5\)"):
        spoilt("shift", pictures(1, (28, 28)), severity)


def test_an_unknown_corruption_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown corruption 'fog': choose one of shift, rota"):
        CORRUPTIONS["fog"]


def test_a_corruption_tells_its_amounts_in_words() -> None:
    assert CORRUPTIONS["shift"].span() == "1 to 5 pixels"
    assert CORRUPTIONS["contrast"].span() == "0.85 to 0.25 times"

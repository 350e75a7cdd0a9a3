"""Strokes made thicker and thinner by a known amount: bars, discs, single lines, digits."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
from chainrule.data.dataset import Dataset

RADIUS = {1: 0.3, 2: 0.6, 3: 0.9, 4: 1.2, 5: 1.5}
"""Pixels that a stroke gains on each side, by severity."""


def spoilt(images: np.ndarray, severity: int, *, shape: tuple[int, int] = (28, 28)) -> np.ndarray:
    return CORRUPTIONS["thickness"](images, shape, severity, np.random.default_rng(0))


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_stroke_gains_the_amount_on_both_sides_or_loses_two_thirds_of_it(
    severity: int, upright: bool
) -> None:
    radius = RADIUS[severity]
    stroke = np.zeros((28, 28), np.float32)
    stroke[2:26, 11:16] = 1
    image = (stroke if upright else stroke.T).ravel()
    found = spoilt(np.tile(image, (40, 1)), severity).reshape(40, 28, 28)
    across = (found if upright else found.swapaxes(1, 2))[:, 14]
    widths, counts = np.unique(across.sum(axis=1).round(4), return_counts=True)
    np.testing.assert_allclose(widths, [5 - 2 * radius * 2 / 3, 5 + 2 * radius], atol=1e-3)
    assert min(counts) > 10


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_disc_grows_and_shrinks_alike_in_all_directions(severity: int) -> None:
    radius = RADIUS[severity]
    fine = np.hypot(*(np.indices((280, 280)) - 139.5)) < 80
    disc = fine.reshape(28, 10, 28, 10).mean(axis=(1, 3)).astype(np.float32)
    found = spoilt(np.tile(disc.ravel(), (20, 1)), severity)
    areas = np.unique(found.sum(axis=1).round(2))
    expected = [np.pi * (8 - radius * 2 / 3) ** 2, np.pi * (8 + radius) ** 2]
    np.testing.assert_allclose(areas, expected, rtol=0.03)


@pytest.mark.parametrize("side", [28, 84])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_line_of_one_pixel_made_thicker_has_no_gaps(severity: int, side: int) -> None:
    line = np.zeros((side, side), np.float32)
    line[4:-4, side // 2] = 1
    found = spoilt(np.tile(line.ravel(), (6, 1)), severity, shape=(side, side))
    thickest = found[found.sum(axis=1).argmax()]
    assert thickest.sum() > line.sum()
    middle = thickest.reshape(side, side)[side // 2]
    assert middle[side // 2] == 1
    assert np.all(np.diff(middle[side // 2 :]) <= 0)
    assert np.all(np.diff(middle[: side // 2 + 1]) >= 0)


def test_a_thin_stroke_made_thinner_stays_as_bright(mnist: Dataset) -> None:
    images = mnist.test.images[:300]
    for severity in SEVERITIES:
        found = spoilt(images, severity)
        thinner = found.sum(axis=1) < images.sum(axis=1)
        assert 100 < thinner.sum() < 200
        assert np.all(found[~thinner] >= images[~thinner])
        np.testing.assert_allclose(
            found[thinner].max(axis=1), images[thinner].max(axis=1), atol=1e-6
        )

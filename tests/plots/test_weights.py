"""Each unit of the first layer is shown as it is."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.plots.weights import first_layer
from helpers.pictures import tiles, title


def test_each_unit_is_shown_as_its_own_column_of_W() -> None:
    W = np.random.default_rng(0).standard_normal((12, 70)).astype(np.float32)
    figure = first_layer(W, shape=(3, 4))
    shown = tiles(figure, (3, 4))
    assert len(shown) == 64
    np.testing.assert_array_equal([tile.ravel() for tile in shown], W[:, :64].T)
    assert title(figure) == "First layer: 64 of 70 units"


def test_the_colour_scale_is_symmetric_about_zero_and_not_stretched_by_one_weight() -> None:
    W = np.random.default_rng(1).uniform(-1, 0.25, (784, 16))
    W[5, 5] = 1000
    image = first_layer(W, shape=(28, 28)).axes[0].images[0]
    low, high = image.get_clim()
    assert low == -high
    assert 0.9 < high < 1.1
    negative, zero, positive = image.cmap([0.0, 0.5, 1.0])
    assert negative[0] > negative[2]
    assert np.ptp(zero[:3]) < 0.02
    assert positive[2] > positive[0]


def test_weights_that_are_all_zero_are_drawn_on_a_scale_of_one() -> None:
    image = first_layer(np.zeros((4, 2)), shape=(2, 2)).axes[0].images[0]
    assert image.get_clim() == (-1, 1)


@pytest.mark.parametrize(
    ("W", "count"),
    [
        (np.zeros((5, 2)), 64),
        (np.zeros((4, 0)), 64),
        (np.full((4, 2), np.nan), 64),
        (np.zeros((4, 2)), 0),
    ],
)
def test_weights_that_cannot_be_pictures_are_refused(W: np.ndarray, count: int) -> None:
    with pytest.raises(ValueError, match="give finite weights with 4 rows"):
        first_layer(W, shape=(2, 2), count=count)

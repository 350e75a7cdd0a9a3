"""Each unit's weights shortened to a length, beside PyTorch's renorm."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.nn.network import Network
from chainrule.optim.clipping import shorten_columns

# torch divides by the length + 1e-7.
PRECISIONS = [(np.float64, 3e-7), (np.float32, 9e-7)]


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("max_norm", [0.5, 1.0, 2.0, 3.0, 100.0])
@pytest.mark.parametrize("shape", [(1, 1), (7, 4), (4, 7), (784, 50)])
def test_columns_are_shortened_as_torch_does(
    torch: ModuleType, shape: tuple[int, int], max_norm: float, dtype: Any, tolerance: float
) -> None:
    rng = np.random.default_rng(0)
    W = rng.normal(size=shape)
    W *= rng.uniform(0, 4, shape[1]) / np.linalg.norm(W, axis=0)
    W = W.astype(dtype)
    expected = torch.renorm(torch.tensor(W), p=2, dim=1, maxnorm=max_norm).numpy()
    before = W.copy()
    shorten_columns(W, max_norm)
    assert W.dtype == dtype
    np.testing.assert_allclose(W, expected, rtol=tolerance)
    lengths = np.linalg.norm(before.astype(np.float64), axis=0)
    assert np.linalg.norm(W, axis=0) == pytest.approx(np.minimum(lengths, max_norm), rel=1e-6)


def test_short_columns_keep_their_bits_beside_long_ones() -> None:
    W = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    W[:, [0, 2]] *= 100
    W[:, [1, 3]] *= 0.01
    before = W.copy()
    shorten_columns(W, 1.0)
    assert W[:, [1, 3]].tobytes() == before[:, [1, 3]].tobytes()
    assert (W[:, [0, 2]] != before[:, [0, 2]]).all()


def test_where_all_are_short_nothing_is_written() -> None:
    W = np.random.default_rng(0).normal(size=(9, 4))
    W.setflags(write=False)
    shorten_columns(W, 100.0)


def test_a_unit_without_weights_stays_as_it_is() -> None:
    W = np.zeros((5, 3))
    W[:, 1] = 4.0
    shorten_columns(W, 1.0)
    assert W[:, [0, 2]].tolist() == [[0.0, 0.0]] * 5
    assert np.linalg.norm(W[:, 1]) == pytest.approx(1.0)


def test_the_direction_of_a_units_weights_stays() -> None:
    W = np.random.default_rng(0).normal(size=(20, 6))
    before = W / np.linalg.norm(W, axis=0)
    shorten_columns(W, 0.5)
    np.testing.assert_allclose(W / np.linalg.norm(W, axis=0), before, rtol=1e-13)


def test_it_is_the_units_of_a_layer_that_are_shortened_and_not_its_inputs() -> None:
    network = Network.dense([30, 5, 2], rng=np.random.default_rng(0))
    network.W[0][...] = 1.0
    shorten_columns(network.W[0], 2.0)
    np.testing.assert_allclose(network.W[0], 2 / 30**0.5, rtol=1e-6)


def test_a_weight_that_is_not_a_number_is_not_hidden() -> None:
    W = np.ones((4, 3))
    W[2, 1] = np.nan
    shorten_columns(W, 0.1)
    assert np.isnan(W[2, 1])

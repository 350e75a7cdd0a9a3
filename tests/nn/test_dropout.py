"""Dropout and noise: as much as was asked for, nothing on average, the same for the same seed.

Shares and shapes are judged by SciPy's tests, of numbers that fixed seeds make the same each time.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn.activations import Activation
from chainrule.nn.dropout import Dropout, Noise, draw_normal
from chainrule.nn.layer import SharedMemory
from chainrule.nn.linear import Linear
from chainrule.nn.network import Network
from conftest import oracle

SHAPE = (500, 80)
RARE = 1e-3
"""How improbable a sample must be to be taken for one of another distribution."""


@pytest.fixture(scope="module")
def stats() -> ModuleType:
    oracle("scipy")
    return oracle("scipy.stats")


def disturbed(
    dropout: float = 0.0,
    deviation: float = 0.0,
    *,
    A: Array | None = None,
    dtype: Any = np.float64,
    seed: int | np.random.Generator = 0,
) -> tuple[Array, Array, Array]:
    """(A disturbed, the mask, the noise); A is all ones unless given."""
    A = np.ones(SHAPE, dtype) if A is None else A
    rng, shared = np.random.default_rng(seed), SharedMemory(*A.shape, A.dtype, *5 * [[]])
    drop, add = Dropout(A.shape[1], dropout), Noise(A.shape[1], deviation)
    dropped, noised = drop.memory(shared), add.memory(shared)
    if dropout:
        A = drop.forward(A, dropped, rng)
    if deviation:
        A = add.forward(A, noised, rng)
    return A, dropped.mask, noised.noise


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dropout", [0.01, 0.1, 0.2, 0.5, 0.9])
def test_the_share_that_is_left_out_is_the_share_that_was_asked_for(
    stats: ModuleType, dropout: float, dtype: Any
) -> None:
    out, mask, _ = disturbed(dropout, dtype=dtype)
    assert out.dtype == mask.dtype == dtype
    left_out = int((mask == 0).sum())
    assert stats.binomtest(left_out, mask.size, dropout).pvalue > RARE
    # No row and no column is treated otherwise: the counts of each vary as binomial numbers do.
    for axis in (0, 1):
        counts, n = (mask == 0).sum(axis=axis), SHAPE[axis]
        surprise = ((counts - n * dropout) ** 2).sum() / (n * dropout * (1 - dropout))
        assert RARE < stats.chi2.sf(surprise, len(counts)) < 1 - RARE


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-15), (np.float32, 1e-7)])
@pytest.mark.parametrize("dropout", [0.1, 0.25, 0.5, 0.9])
def test_what_stays_is_stretched_as_torch_does_and_the_rest_is_zero(
    torch: ModuleType, dropout: float, dtype: Any, tolerance: float
) -> None:
    A = np.random.default_rng(1).normal(size=SHAPE).astype(dtype)
    before = A.tobytes()
    out, mask, _ = disturbed(dropout, A=A, dtype=dtype)
    assert A.tobytes() == before
    assert np.unique(mask).tolist() == [0, dtype(1 / (1 - dropout))]
    assert out.tobytes() == (A * mask).tobytes()
    torch.manual_seed(0)
    factor = torch.nn.functional.dropout(torch.ones(100, dtype=torch.float64), dropout).max().item()
    np.testing.assert_allclose(out[mask > 0], factor * A[mask > 0], rtol=2 * tolerance)
    assert not out[mask == 0].any()


@pytest.mark.parametrize(("dropout", "deviation"), [(0.2, 0.0), (0.5, 0.0), (0.0, 0.3), (0.5, 2.0)])
def test_on_average_nothing_changes(dropout: float, deviation: float) -> None:
    A = np.random.default_rng(2).normal(size=(1, 40))
    draws = 5000
    out, _, _ = disturbed(dropout, deviation, A=A.repeat(draws, axis=0))
    variance = A**2 * dropout / (1 - dropout) + deviation**2
    surprise = (out.mean(axis=0) - A) / np.sqrt(variance / draws)
    assert np.abs(surprise).max() < 4
    np.testing.assert_allclose(out.var(axis=0), variance[0], rtol=0.15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("deviation", [0.05, 0.3, 2.0])
def test_the_noise_is_normal_and_as_wide_as_was_asked_for(
    stats: ModuleType, deviation: float, dtype: Any
) -> None:
    out, _, noise = disturbed(0.0, deviation, dtype=dtype)
    assert out.dtype == noise.dtype == dtype
    assert out.tobytes() == (np.ones(SHAPE, dtype) + noise).tobytes()
    assert stats.kstest(noise.ravel() / deviation, "norm").pvalue > RARE
    spread = (noise.astype(np.float64) ** 2).sum() / deviation**2
    assert RARE < stats.chi2.sf(spread, noise.size) < 1 - RARE


@pytest.mark.parametrize(("dropout", "deviation"), [(0.3, 0.0), (0.0, 1.0)])
def test_neighbours_know_nothing_of_each_other(dropout: float, deviation: float) -> None:
    out, _, _ = disturbed(dropout, deviation)
    for one, other in ((out[1:], out[:-1]), (out[:, 1:], out[:, :-1])):
        correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert abs(correlation) < 4 / np.sqrt(one.size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("dropout", "deviation"), [(0.3, 0.0), (0.0, 1.0), (0.3, 1.0)])
def test_one_seed_draws_the_same_bits_another_others_and_each_call_anew(
    dropout: float, deviation: float, dtype: Any
) -> None:
    def draw(seed: int | np.random.Generator) -> bytes:
        return disturbed(dropout, deviation, dtype=dtype, seed=seed)[0].tobytes()

    rng = np.random.default_rng(5)
    first, second = draw(rng), draw(rng)
    assert first == draw(5)
    assert len({first, second, draw(6)}) == 3


def test_with_both_the_noise_is_added_behind_the_mask() -> None:
    A = np.random.default_rng(1).normal(size=SHAPE)
    out, mask, noise = disturbed(0.5, 0.1, A=A)
    assert out.tobytes() == (A * mask + noise).tobytes()
    assert noise[mask == 0].all()
    # Either has draws of its own: which inputs are left out tells nothing of the noise.
    assert abs(noise[mask == 0].mean() - noise[mask > 0].mean()) < 4 * 0.1 / np.sqrt(A.size / 4)


def test_without_a_generator_nothing_is_drawn_and_nothing_changes_either_way() -> None:
    A, dA = np.ones((3, 4)), np.full((3, 4), 2.0)
    shared = SharedMemory(3, 4, A.dtype, *5 * [[]])
    for layer in (Dropout(4, 0.5), Noise(4, 1.0)):
        memory = layer.memory(shared)
        layer.forward(A, memory, np.random.default_rng(0))
        assert layer.forward(A, memory, None) is A
        assert (layer.backward(dA, memory) == 2).all()
    network = Network.dense([4, 3], rng=np.random.default_rng(0), input_noise=1.0)
    assert [type(layer) for layer in network.chain] == [Noise, Linear, Activation]


def test_rows_are_stretches_of_normal_numbers_that_seldom_repeat_each_other() -> None:
    stats = pytest.importorskip("scipy.stats")
    numbers = np.empty((600, 500), np.float32)
    draw_normal(numbers, np.random.default_rng(0))
    assert len({row.tobytes() for row in numbers}) > 595  # of a million beginnings
    assert stats.kstest(numbers.ravel()[::7], "norm").pvalue > 0.01
    correlations = np.corrcoef(numbers[:100])[np.triu_indices(100, 1)]
    assert abs(correlations.mean()) < 0.005
    assert correlations.std() == pytest.approx(1 / np.sqrt(500), rel=0.1)


def test_rows_longer_than_an_eighth_of_the_million_are_drawn_number_by_number() -> None:
    numbers = np.empty((2, 200_000), np.float32)
    draw_normal(numbers, np.random.default_rng(1))
    expected = np.random.default_rng(1).standard_normal((2, 200_000), np.float32)
    np.testing.assert_array_equal(numbers, expected)

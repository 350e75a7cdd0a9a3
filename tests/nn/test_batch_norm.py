"""Batch normalisation, forward and backward, beside PyTorch's BatchNorm1d."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn.batch_norm import (
    EPSILON,
    MOMENTUM,
    BatchNorm,
    scale_and_shift,
    update_running,
)
from chainrule.nn.layer import SharedMemory

PRECISIONS = [(np.float64, 1e-11), (np.float32, 3e-5)]
UNITS = 6
COLUMNS = ["usual", "far from 0", "large", "small", "constant"]


def sums(kind: str, rows: int, dtype: Any, seed: int = 0) -> Array:
    """A layer's sums, (rows, UNITS); in "constant" two of the units say the same to all rows."""
    U = np.random.default_rng([seed, rows]).normal(size=(rows, UNITS))
    if kind == "far from 0":
        U += 100
    elif kind in ("large", "small"):
        U *= 1e6 if kind == "large" else 1e-4
    elif kind == "constant":
        U[:, [0, 3]] = 0.0, -2.5
    return U.astype(dtype)


class Ours:
    """One batch forward and backward."""

    def __init__(self, U: Array, gamma: Array, b: Array, dZ: Array) -> None:
        running = np.full((2, UNITS), np.nan, U.dtype)
        self.layer = BatchNorm(0, gamma, b, *running)
        self.memory = self.layer.memory(shared(len(U), U.dtype))
        self.Z = self.layer.forward(U.copy(), self.memory, np.random.default_rng(0)).copy()
        self.dU = self.layer.backward(dZ, self.memory).copy()
        self.mean, self.variance = self.memory.mean, self.memory.variance
        self.db, self.dgamma = self.memory.db, self.memory.dgamma


def shared(rows: int, dtype: Any) -> SharedMemory:
    """Memory of one layer alone, all of it nan."""
    views = ([np.full(UNITS, np.nan, dtype)] for _ in range(5))
    return SharedMemory(rows, UNITS, np.dtype(dtype), *views)


def parameters(dtype: Any, rows: int) -> tuple[Array, Array, Array]:
    """(gamma, b, dZ)"""
    rng = np.random.default_rng(rows)
    return (
        rng.normal(1, 0.5, UNITS).astype(dtype),
        rng.normal(size=UNITS).astype(dtype),
        rng.normal(size=(rows, UNITS)).astype(dtype),
    )


def torch_layer(torch: ModuleType, gamma: Array, b: Array) -> Any:
    layer = torch.nn.BatchNorm1d(UNITS).to(torch.tensor(gamma).dtype)
    layer.weight.data[:], layer.bias.data[:] = torch.tensor(gamma), torch.tensor(b)
    return layer


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("rows", [2, 3, 12, 256])
@pytest.mark.parametrize("kind", COLUMNS)
def test_outputs_and_gradients_are_those_of_torch(
    torch: ModuleType, kind: str, rows: int, dtype: Any, tolerance: float
) -> None:
    U, (gamma, b, dZ) = sums(kind, rows, dtype), parameters(dtype, rows)
    if kind == "far from 0" and dtype == np.float32:
        tolerance = 1e-3  # at 100, a float32 is good to 4e-6, and sigma may be some hundredths
    layer, given = torch_layer(torch, gamma, b), torch.tensor(U, requires_grad=True)
    Z = layer(given)
    Z.backward(torch.tensor(dZ))
    ours = Ours(U, gamma, b, dZ)
    pairs = {
        "Z": (ours.Z, Z.detach()),
        "dU": (ours.dU, given.grad),
        "dgamma": (ours.dgamma, layer.weight.grad),
        "db": (ours.db, layer.bias.grad),
    }
    for name, (mine, other) in pairs.items():
        assert mine.dtype == dtype
        # An element may be a difference of two that are nearly the same: it is as good as they are.
        size = max(1.0, float(other.abs().max()))
        np.testing.assert_allclose(
            mine, other.numpy(), rtol=tolerance, atol=tolerance * size, err_msg=name
        )


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_running_statistics_after_several_batches_are_those_of_torch(
    torch: ModuleType, dtype: Any, tolerance: float
) -> None:
    gamma, b, _ = parameters(dtype, 5)
    layer = torch_layer(torch, gamma, b)
    running = np.concatenate([np.zeros(UNITS, dtype), np.ones(UNITS, dtype)])
    for step, rows in enumerate((12, 256, 5, 2, 3, 100, 12)):
        for kind in ("usual", "constant"):
            U = sums(kind, rows, dtype, seed=step)
            layer(torch.tensor(U))
            ours = Ours(U, gamma, b, U)
            update_running(running, np.concatenate([ours.mean, ours.variance]), rows)
    assert running.dtype == dtype
    expected = np.concatenate([layer.running_mean.numpy(), layer.running_var.numpy()])
    np.testing.assert_allclose(running, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_by_fixed_statistics_outputs_are_those_of_torch_in_evaluation(
    torch: ModuleType, dtype: Any, tolerance: float
) -> None:
    gamma, b, _ = parameters(dtype, 5)
    layer = torch_layer(torch, gamma, b).eval()
    mean, variance = sums("usual", 2, dtype)
    variance = variance**2
    layer.running_mean[:], layer.running_var[:] = torch.tensor(mean), torch.tensor(variance)
    U = sums("usual", 7, dtype, seed=9)
    scale, shift = scale_and_shift(gamma, b, mean, variance)
    np.testing.assert_allclose(
        scale * U + shift,
        layer(torch.tensor(U)).detach().numpy(),
        rtol=tolerance,
        atol=10 * tolerance,
    )


@pytest.mark.parametrize("rows", [1, 4])
def test_rows_that_say_the_same_have_the_bias_as_output_and_teach_nothing_but_it(
    torch: ModuleType, rows: int
) -> None:
    # BatchNorm1d refuses a batch of one row; the function underneath does not.
    U, (gamma, b, dZ) = sums("usual", 1, np.float64).repeat(rows, 0), parameters(np.float64, rows)
    given = torch.tensor(U, requires_grad=True)
    settings = (torch.tensor(gamma), torch.tensor(b), None, None, True, MOMENTUM, EPSILON)
    Z, *_ = torch.native_batch_norm(given, *settings)
    Z.backward(torch.tensor(dZ))
    ours = Ours(U, gamma, b, dZ)
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(ours.Z, Z.detach().numpy(), **close)
    np.testing.assert_allclose(ours.Z, np.tile(b, (rows, 1)), **close)
    np.testing.assert_allclose(ours.dU, given.grad.numpy(), **close)
    np.testing.assert_allclose(ours.dgamma, 0, atol=1e-9)
    if rows == 1:
        assert not ours.dU.any()
        assert not ours.dgamma.any()
        assert ours.variance.tolist() == [0] * UNITS


def test_a_batch_of_one_row_leaves_the_running_statistics_finite() -> None:
    # PyTorch's own would divide the variance 0 by 0 here.
    running, batch = np.array([0.0, 1.0]), np.array([5.0, 0.0])
    update_running(running, batch, rows=1)
    assert np.isfinite(running).all()


def test_the_constants_are_torchs_defaults(torch: ModuleType) -> None:
    layer = torch.nn.BatchNorm1d(1)
    assert (layer.eps, layer.momentum) == (EPSILON, MOMENTUM)


def test_a_momentum_of_ones_own_is_the_part_of_the_new_batch() -> None:
    running = np.array([0.0, 10.0, 1.0, 1.0])
    update_running(running, np.array([8.0, 2.0, 3.0, 6.0]), rows=4, momentum=0.25)
    # Variances of 4 rows count 4/3: 3 is 4, 6 is 8.
    np.testing.assert_allclose(running, [2.0, 8.0, 1.75, 2.75], rtol=1e-15)


def test_the_gradient_may_be_written_over_what_it_comes_from() -> None:
    rows = 9
    U, (gamma, b, dZ) = sums("usual", rows, np.float64), parameters(np.float64, rows)
    before = dZ.tobytes()
    ours = Ours(U, gamma, b, dZ)
    assert dZ.tobytes() == before
    kept = ours.memory.V.copy()
    np.copyto(ours.memory.dU, dZ)
    over = ours.layer.backward(ours.memory.dU, ours.memory)
    assert over is ours.memory.dU
    assert over.tobytes() == ours.dU.tobytes()
    assert ours.memory.V.tobytes() == kept.tobytes()


@pytest.mark.parametrize("rows", [2, 5, 64])
def test_shifting_and_stretching_a_unit_changes_nothing(rows: int) -> None:
    U, (gamma, b, dZ) = sums("usual", rows, np.float64), parameters(np.float64, rows)
    plain, moved = Ours(1e3 * U, gamma, b, dZ), Ours(4e3 * U - 7e3, gamma, b, dZ)
    np.testing.assert_allclose(moved.Z, plain.Z, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(4 * moved.dU, plain.dU, rtol=1e-4, atol=1e-8)
    # So no shift of all rows, and no stretching, is worth anything downhill.
    np.testing.assert_allclose(plain.dU.sum(axis=0), 0, atol=1e-12)

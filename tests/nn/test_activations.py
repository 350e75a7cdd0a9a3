"""Each activation and its derivative against PyTorch and SciPy, from tiny values to huge ones."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from chainrule.nn.activations import ACTIVATIONS, Matrix
from chainrule.nn.initializers import INITIALIZERS

NAMES = list(ACTIVATIONS)
PRECISIONS = [(np.float64, 1e-12), (np.float32, 1e-6)]

TORCH: dict[str, Callable[[Any, Any], Any]] = {
    "identity": lambda torch, z: z.clone(),
    "sigmoid": lambda torch, z: torch.sigmoid(z),
    "tanh": lambda torch, z: torch.tanh(z),
    "relu": lambda torch, z: torch.relu(z),
    "leaky-relu": lambda torch, z: torch.nn.functional.leaky_relu(z),
    "elu": lambda torch, z: torch.nn.functional.elu(z),
    "gelu": lambda torch, z: torch.nn.functional.gelu(z, approximate="tanh"),
    "silu": lambda torch, z: torch.nn.functional.silu(z),
    "softmax": lambda torch, z: torch.softmax(z, dim=1),
}

SCIPY: dict[str, Callable[[Matrix], Matrix]] = {
    "sigmoid": scipy.special.expit,
    "softmax": lambda Z: scipy.special.softmax(Z, axis=1),
    "silu": lambda Z: Z * scipy.special.expit(Z),
    "tanh": lambda Z: 2 * scipy.special.expit(2 * Z) - 1,
}

EXTREMES = np.array(
    [
        [0.0, -0.0, 1e4, -1e4, 88.0, -88.0],
        [710.0, -710.0, 746.0, -746.0, 89.0, -104.0],
        [-1e4, -1e4, -1e4, -1e4, -1e4, -1e4],
        [1e4, 1e4, 1e4, 1e4, 1e4, 1e4],
        [1e-8, -1e-8, 1e-300, -1e-300, 1.0, -1.0],
    ]
)


def examples(dtype: Any) -> tuple[Matrix, Matrix]:
    """(Z, dA): ordinary sums, extreme ones, and a gradient from above."""
    rng = np.random.default_rng(7)
    Z = np.concatenate([rng.normal(0, 3, (60, 6)), EXTREMES]).astype(dtype)
    return Z, rng.uniform(-1, 1, Z.shape).astype(dtype)


def forward(name: str, Z: Matrix) -> Matrix:
    """A in memory of its own."""
    return ACTIVATIONS[name].forward(Z, np.full_like(Z, np.nan))


def backward(name: str, dA: Matrix, Z: Matrix) -> Matrix:
    """dZ, from buffers that hold rubbish before."""
    out, scratch = np.full_like(Z, np.nan), np.full_like(Z, np.nan)
    return ACTIVATIONS[name].backward(dA, Z, forward(name, Z), out, scratch)


def test_each_activation_has_an_oracle_here() -> None:
    assert list(TORCH) == NAMES


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("name", NAMES)
def test_forward_and_backward_are_those_of_torch(
    torch: ModuleType, name: str, dtype: Any, tolerance: float
) -> None:
    Z, dA = examples(dtype)
    z = torch.tensor(Z.astype(np.float64), requires_grad=True)
    a = TORCH[name](torch, z)
    a.backward(torch.tensor(dA.astype(np.float64)))
    close = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(forward(name, Z), a.detach().numpy(), **close)
    if name == "gelu":  # In float32 near Z = 4 torch's own derivative is 1e-6 off too.
        close["atol"] *= 2
    np.testing.assert_allclose(backward(name, dA, Z), z.grad.numpy(), **close)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("name", SCIPY)
def test_forward_is_that_of_scipy(name: str, dtype: Any, tolerance: float) -> None:
    Z, _ = examples(dtype)
    expected = SCIPY[name](Z.astype(np.float64))
    np.testing.assert_allclose(forward(name, Z), expected, rtol=tolerance, atol=tolerance)


def test_gelu_is_within_the_published_error_of_the_exact_form() -> None:
    # The tanh form stays within 5e-4 of Z * Phi(Z), Phi the normal distribution function.
    Z = np.linspace(-8, 8, 4001)[:, None]
    assert np.abs(forward("gelu", Z) - Z * scipy.stats.norm.cdf(Z)).max() < 5e-4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_the_type_is_kept_and_out_is_what_comes_back(name: str, dtype: Any) -> None:
    Z, dA = examples(dtype)
    A, dZ, scratch = np.empty_like(Z), np.empty_like(Z), np.empty_like(Z)
    assert ACTIVATIONS[name].forward(Z, A) is A
    assert ACTIVATIONS[name].backward(dA, Z, A, dZ, scratch) is (dA if name == "identity" else dZ)
    assert A.dtype == dZ.dtype == dtype


@pytest.mark.parametrize("name", [name for name in NAMES if ACTIVATIONS[name].in_place])
def test_where_the_row_says_in_place_the_sums_may_be_overwritten(name: str) -> None:
    Z, dA = examples(np.float64)
    A, dZ = forward(name, Z), backward(name, dA, Z)
    row, over, out = ACTIVATIONS[name], Z.copy(), np.empty_like(Z)
    assert np.array_equal(row.forward(over, over), A)
    assert np.array_equal(row.backward(dA, over, over, out, np.empty_like(Z)), dZ)


@pytest.mark.parametrize("name", NAMES)
def test_forward_leaves_the_sums_alone(name: str) -> None:
    Z, _ = examples(np.float64)
    before = Z.tobytes()
    forward(name, Z)
    assert Z.tobytes() == before


@pytest.mark.parametrize("name", NAMES)
def test_backward_writes_into_out_and_scratch_only(name: str) -> None:
    Z, dA = examples(np.float64)
    A = forward(name, Z)
    before = [array.tobytes() for array in (dA, Z, A)]
    ACTIVATIONS[name].backward(dA, Z, A, np.empty_like(Z), np.empty_like(Z))
    assert [array.tobytes() for array in (dA, Z, A)] == before


@given(Z=arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=st.floats(-1e4, 1e4)))
def test_each_row_of_softmax_is_a_distribution(Z: Matrix) -> None:
    A = forward("softmax", Z)
    assert (A >= 0).all()
    np.testing.assert_allclose(A.sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_is_not_a_number_is_not_hidden(name: str) -> None:
    Z = np.array([[1.0, np.nan, -1.0]])
    with np.errstate(invalid="ignore"):
        assert np.isnan(forward(name, Z)[0, 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_marked_kinked_exactly_where_it_bends_at_zero(name: str) -> None:
    # One step h around 0: slope and curvature of a smooth function agree from both sides.
    h = 1e-4
    Z = np.array([[-2 * h], [-h], [0.0], [h], [2 * h]])
    two_columns = np.hstack([Z, np.zeros_like(Z)])
    left2, left, middle, right, right2 = forward(name, two_columns)[:, 0]
    curvature = ((right2 - 2 * right + middle) - (left2 - 2 * left + middle)) / h**2
    slope = (right - middle) / h - (middle - left) / h
    assert ACTIVATIONS[name].kinked == (abs(slope) > 0.1 or abs(curvature) > 0.1)


def test_each_row_names_an_initializer_that_exists() -> None:
    assert {row.initializer for row in ACTIVATIONS.values()} <= set(INITIALIZERS)

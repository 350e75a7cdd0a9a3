"""Products are products, whichever way they take, and the detour is taken where it pays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule.nn.matmul
from chainrule.core.arrays import Array
from chainrule.nn.matmul import SMALL, matmul

# (m, k, n): at how many columns of `out` each call of BLAS is to work
WHOLE = {
    "tiny": (1, 1, 1),
    "one example": (1, 784, 128),
    "just below": (10, 784, 127),
    "the limit itself": (10, 1000, 100),
    "the end of the window": (10, 1000, 150),
    "just above the window": (10, 1000, 151),
    "a batch of 128": (128, 784, 128),
}
HALVED = {
    "the first layer at batch 10": (10, 784, 128),
    "its gradient": (784, 10, 128),
    "just above the limit": (10, 1000, 101),
    "an odd number of columns": (10, 784, 131),
    "just below the end": (10, 1000, 149),
    "two columns": (500, 1100, 2),
    "one column": (1000, 1200, 1),
}
SIZES = WHOLE | HALVED


def operands(m: int, k: int, n: int, layout: str, dtype: Any = np.float32) -> tuple[Array, Array]:
    """A (m, k) and B (k, n), laid out in memory as the network has them there."""
    rng = np.random.default_rng(m + k + n)
    A, B = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    if layout == "dW = A' dZ":
        A = np.ascontiguousarray(A.T).T
    if layout == "dA = dZ W'":
        B = np.ascontiguousarray(B.T).T
    return A, B


@pytest.mark.parametrize("layout", ["Z = A W", "dW = A' dZ", "dA = dZ W'"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_a_product_is_that_of_longer_numbers_within_rounding(
    size: str, dtype: Any, layout: str
) -> None:
    m, k, n = SIZES[size]
    A, B = operands(m, k, n, layout, dtype)
    before = A.tobytes(), B.tobytes()
    # As dW is: a part of a longer vector, of which nothing else may be written.
    vector = np.full(m * n + 2, np.nan, dtype)
    out = vector[1:-1].reshape(m, n)
    assert matmul(A, B, out) is out
    assert (A.tobytes(), B.tobytes()) == before
    assert np.isnan(vector[[0, -1]]).all()
    # The bound of Higham, Accuracy and Stability of Numerical Algorithms, (3.13), whatever the
    # order of the sums; sums in no more than double precision add as much again.
    long_A, long_B = A.astype(np.longdouble), B.astype(np.longdouble)
    picked = slice(None, None, max(1, m // 20))
    exact = long_A[picked] @ long_B
    bound = 2 * k * np.finfo(dtype).eps * (np.abs(long_A[picked]) @ np.abs(long_B))
    assert (np.abs(out[picked] - exact) <= bound).all()
    np.testing.assert_allclose(out, A @ B, rtol=0, atol=float(bound.max()))


def calls(monkeypatch: pytest.MonkeyPatch, m: int, k: int, n: int) -> list[tuple[int, ...]]:
    """The shape of what each call of BLAS writes in one product."""
    written: list[tuple[int, ...]] = []

    def watched(A: Array, B: Array, *, out: Array) -> Array:
        written.append(out.shape)
        return np.matmul(A, B, out=out)

    monkeypatch.setattr(chainrule.nn.matmul, "np", SimpleNamespace(matmul=watched))
    A, B = operands(m, k, n, "Z = A W")
    matmul(A, B, np.empty((m, n), np.float32))
    return written


@pytest.mark.parametrize("size", HALVED)
def test_somewhat_above_the_limit_there_are_two_halves_below_it(
    monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    m, k, n = HALVED[size]
    written = calls(monkeypatch, m, k, n)
    assert written == [(m, n // 2), (m, n - n // 2)]
    if n > 1:
        assert all(m * k * columns <= SMALL for _, columns in written)


@pytest.mark.parametrize("size", WHOLE)
def test_elsewhere_there_is_one_call(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    m, k, n = WHOLE[size]
    assert calls(monkeypatch, m, k, n) == [(m, n)]

"""Numerical fingerprint of the environment: equal fingerprints, equal bits.

The order in which a matrix product sums is up to the BLAS library, its kernel for the processor
and its threads. So a run records these, together with a checksum of a few products.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache

import numpy as np

from chainrule.core.blas import describe_blas, one_blas_thread
from chainrule.core.version import __version__

SHAPES = ((10, 784, 128), (128, 784, 64), (200, 50, 10))
"""(m, k, n) of the products: a small batch, a large one, and widths that do not fill a vector."""

FUNCTIONS = (np.exp, np.tanh, np.log1p, np.sqrt)


def fingerprint(workers: int, *, compiled: bool) -> dict[str, str]:
    """Everything besides settings and data that the bits of a run depend on, by name."""
    found = {
        "chainrule": __version__,
        "numpy": np.__version__,
        "BLAS": describe_blas(),
        "cores of a step": str(workers),
        "processor": platform.machine(),
        "products": _products(),
    }
    if compiled:
        from importlib.metadata import version

        found["numba"] = version("numba")
    return found


def differences(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """The changes between two fingerprints, one phrase each; empty if there are none."""
    return [
        f"{name} {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


@cache
def _products() -> str:
    """Checksum of a few matrix products and functions as this machine computes them."""
    digest = hashlib.sha256()
    rng = np.random.Generator(np.random.PCG64(0))
    with one_blas_thread():
        for m, k, n in SHAPES:
            A = rng.standard_normal((m, k), dtype=np.float32)
            B = rng.standard_normal((k, n), dtype=np.float32)
            digest.update((A @ B).tobytes())
            digest.update((A.T @ (A @ B)).tobytes())
            for function in FUNCTIONS:
                digest.update(function(np.abs(A)).tobytes())
    return digest.hexdigest()[:16]

"""What decides the last bits of a result: the same here and there, the same bits.

The order in which a matrix product adds is up to the BLAS library, its kernel for the processor
and its threads. So a run notes these, together with a checksum of a few products.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache

import numpy as np

from chainrule import __version__
from chainrule.core.blas import describe_blas, one_blas_thread

SHAPES = ((10, 784, 128), (128, 784, 64), (200, 50, 10))
"""Of the products: for a small batch, a large one, and widths that fill no vector."""

FUNCTIONS = (np.exp, np.tanh, np.log1p, np.sqrt)


def fingerprint(workers: int, *, compiled: bool) -> dict[str, str]:
    """What the bits of a run depend on, besides its settings and data, by name."""
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
    """What has changed between two fingerprints, a phrase each; empty: nothing has."""
    return [
        f"{name} {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


@cache
def _products() -> str:
    """A checksum of a few matrix products and functions, in the arithmetic of this machine."""
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

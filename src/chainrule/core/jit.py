"""JIT compilation with Numba, an optional dependency imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

MISSING = "numba is missing: pip install 'chainrule[compiled]'"


def available() -> bool:
    """True if numba is installed; does not import it."""
    return find_spec("numba") is not None


def machine_code(function: Callable[..., Any], *, entry: bool = True) -> Callable[..., Any]:
    """`function`, compiled at its first call; it releases the GIL.

    An entry, called from Python, is cached on disk and compiles once per machine. Functions called
    only from other compiled code are compiled into their callers. Sums may be reordered for SIMD,
    but nan stays nan: the divergence guard relies on it. Raises ImportError without numba.
    """
    try:
        from numba import njit
    except ImportError:
        raise ImportError(MISSING) from None
    compiled: Callable[..., Any] = njit(
        cache=entry, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"}
    )(function)
    return compiled

"""Python functions as machine code, by numba: an extra, loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

MISSING = "numba is missing: pip install 'chainrule[compiled]'"


def available() -> bool:
    """Whether numba is there; it is not loaded for that."""
    return find_spec("numba") is not None


def machine_code(function: Callable[..., Any], *, entry: bool = True) -> Callable[..., Any]:
    """`function` compiled at its first call; other threads run meanwhile.

    An entry, called from Python, is kept on disk: it compiles once a machine. What only other
    machine code calls is part of its caller. Sums may be reordered into vectors, but nan stays
    nan: divergence is seen by it. Raises ImportError without numba.
    """
    try:
        from numba import njit
    except ImportError:
        raise ImportError(MISSING) from None
    compiled: Callable[..., Any] = njit(
        cache=entry, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"}
    )(function)
    return compiled

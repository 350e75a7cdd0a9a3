"""The right OpenBLAS kernel, chosen before NumPy is loaded: by the command line, never on import.

OpenBLAS up to 0.3.31 takes AMD's family 26 (Zen 5) for Haswell and leaves half of its speed unused
(98 instead of 196 GFLOP/s on one core; OpenBLAS pull request 6033 mends it).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController

VARIABLE = "OPENBLAS_CORETYPE"


def choose_kernel(environment: MutableMapping[str, str], cpuinfo: str) -> bool:
    """Sets VARIABLE to SkylakeX on AMD family 26 with AVX-512, unless it is set; says if it did."""
    if VARIABLE in environment or not misjudged(cpuinfo):
        return False
    environment[VARIABLE] = "SkylakeX"
    return True


def misjudged(cpuinfo: str) -> bool:
    """Is the first processor of this /proc/cpuinfo one that OpenBLAS takes for an older one?"""
    first = dict(_fields(cpuinfo.partition("\n\n")[0]))
    is_zen_5 = first.get("vendor_id") == "AuthenticAMD" and first.get("cpu family") == "26"
    return is_zen_5 and "avx512f" in first.get("flags", "").split()


def read_cpuinfo() -> str:
    """What Linux says of the processors; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _fields(block: str) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in block.splitlines())
    return [(name.strip(), value.strip()) for name, _, value in lines]


@cache
def _controller() -> ThreadpoolController:
    import_module("numpy")  # and BLAS with it, so that there is something to control
    return ThreadpoolController()


@cache
def cores() -> int:
    """How many cores BLAS found for this process, or was told to use (OPENBLAS_NUM_THREADS)."""
    pools = _controller().select(user_api="blas").info()
    return max((int(pool["num_threads"]) for pool in pools), default=1)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Within the `with` statement, BLAS does each product on the core that asked for it."""
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limit


def describe_blas() -> str:
    """Which BLAS multiplies, with which kernel, on how many threads; for people."""
    for pool in _controller().select(user_api="blas").info():
        kernel = pool.get("architecture") or "unnamed"
        return (
            f"{pool['internal_api']} {pool.get('version')}, kernel {kernel}, "
            f"{pool['num_threads']} threads"
        )
    return "an unknown BLAS"

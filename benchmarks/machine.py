"""Machine and versions that the figures belong to."""

from __future__ import annotations

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from chainrule.core.blas import read_cpuinfo

PACKAGES = ("chainrule", "numpy", "torch", "jax", "scikit-learn", "onnxruntime")


def machine() -> dict[str, str | int]:
    """Processor, cores, memory, system, BLAS and its kernel, and the day."""
    blas = next((pool for pool in threadpool_info() if pool["user_api"] == "blas"), {})
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "blas": f"{blas.get('internal_api', 'none')} {blas.get('version', '')}".strip(),
        "kernel": str(blas.get("architecture", "")),
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """The version of each package that takes part; absent where it is not installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    for line in read_cpuinfo().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

"""Memory of this process: the most that it may have."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np

CGROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Limit of a container, in the second and the first version of control groups."""
SPARE = 4 << 20
"""Bytes for what is small."""


def most_memory() -> int | None:
    """Bytes that this process may have: the machine's, or a lower limit; None where unknown."""
    found = []
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in CGROUPS:
        with suppress(OSError, ValueError):  # "max": none
            found.append(int(path.read_text(encoding="ascii")))
    with suppress(ImportError, OSError):  # Windows has no such module
        import resource

        found.append(resource.getrlimit(resource.RLIMIT_AS)[0])  # -1: none
    return min((limit for limit in found if limit > 0), default=None)


def reserve(size: int) -> None:
    """Raises MemoryError unless so many bytes more can be had now.

    For what comes next and does not say it when they cannot: it aborts, panics or hangs.
    """
    np.empty(size + SPARE, np.uint8)


def in_words(number: int) -> str:
    """Number of bytes in the largest unit that leaves a whole: 6.4 TB."""
    units = ["MB", "GB", "TB", "PB"]
    size = number / 1e6
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:,.1f} {units[0]}"

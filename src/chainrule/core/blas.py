"""BLAS: the right OpenBLAS kernel, its threads, and its description.

OpenBLAS up to 0.3.31 mistakes AMD's family 26 (Zen 5) for Haswell and wastes half of its speed
(98 instead of 196 GFLOP/s on one core; fixed by OpenBLAS pull request 6033). The command line
picks the kernel before NumPy is loaded; importing the library never does.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

from threadpoolctl import ThreadpoolController

from chainrule.core.counted import Counted, PutBack

VARIABLE = "OPENBLAS_CORETYPE"
THREADS = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables that tell OpenBLAS how many threads to start."""


def choose_kernel(environment: MutableMapping[str, str], cpuinfo: str) -> bool:
    """Sets VARIABLE to SkylakeX on AMD family 26 with AVX-512, unless set; True if it did."""
    if VARIABLE in environment or not misjudged(cpuinfo):
        return False
    environment[VARIABLE] = "SkylakeX"
    return True


def misjudged(cpuinfo: str) -> bool:
    """True if OpenBLAS mistakes the first processor of this /proc/cpuinfo for an older one."""
    first = dict(_fields(cpuinfo.partition("\n\n")[0]))
    is_zen_5 = first.get("vendor_id") == "AuthenticAMD" and first.get("cpu family") == "26"
    return is_zen_5 and "avx512f" in first.get("flags", "").split()


def read_cpuinfo() -> str:
    """The text of /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def limit_threads(environment: MutableMapping[str, str]) -> None:
    """Has OpenBLAS start no more threads than this process may have, unless it is told how many.

    It starts one for each core as NumPy is imported, and where the system refuses one it ends the
    process, as Ctrl-C would. As many again are left for training's own.
    """
    if any(name in environment for name in THREADS):
        return
    wanted = 2 * (os.cpu_count() or 1)
    if (got := startable(wanted)) < wanted:
        environment[THREADS[0]] = str(max(1, got // 2))


def startable(most: int) -> int:
    """Number of threads that can run at the same time, at most `most`; this one counts."""
    done, started = Event(), 1
    try:
        for _ in range(most - 1):
            Thread(target=done.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass  # the system gives no more: that is the answer
    finally:
        done.set()
    return started


def _fields(block: str) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in block.splitlines())
    return [(name.strip(), value.strip()) for name, _, value in lines]


@cache
def _controller() -> ThreadpoolController:
    import_module("numpy")  # loads BLAS: before that there is nothing to control
    return ThreadpoolController()


@cache
def cores() -> int:
    """Number of cores BLAS found for this process, or OPENBLAS_NUM_THREADS if that is set."""
    pools = _controller().select(user_api="blas").info()
    return max((int(pool["num_threads"]) for pool in pools), default=1)


def one_blas_thread() -> AbstractContextManager[None]:
    """Context manager: BLAS computes each product on the calling thread's core alone.

    The limit is the whole process's, so it is counted.
    """
    return _limit.held()


def _set_limit() -> PutBack:
    """Limits BLAS to one thread."""
    cores()  # counted before the limit, whoever asks later
    _free_control()
    before = _controller().limit(limits=1, user_api="blas")

    def put_back() -> None:
        _free_control()
        before.restore_original_limits()
        _free_control()

    return put_back


def _free_control() -> None:
    """Lets whichever thread comes next set a limit.

    From 3.8 on threadpoolctl heeds only the thread that set OpenBLAS's limit first and ignores
    all others in silence: their products would be computed on several cores, with other bits.
    """
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


_limit = Counted(_set_limit)


def describe_blas() -> str:
    """The BLAS in use, its kernel and its threads, in one readable line.

    The threads are those that it found, also while a training holds the limit of one.
    """
    for pool in _controller().select(user_api="blas").info():
        kernel = pool.get("architecture") or "unnamed"
        return f"{pool['internal_api']} {pool.get('version')}, kernel {kernel}, {cores()} threads"
    return "an unknown BLAS"

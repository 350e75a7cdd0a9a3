"""Fuzzing runs: some thousand damaged files through one reader, counted, timed and measured."""

from __future__ import annotations

import resource
import signal
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np

from stress.fuzz.dice import Dice
from stress.fuzz.readers import READERS, Reader

BLOCK = 1000
"""Files from one generator: the seed, the reader and the block tell every one of them."""
SLOWEST = 1.0
"""Seconds of processor time that one file may take."""
HANGING = 10.0
"""Seconds after which a file is given up."""
MOST_MEMORY = 256
"""MiB: the largest photo that is read takes 192, and these files are small."""


class Hanging(BaseException):
    """No Exception: a reader that catches those must not swallow it."""


@dataclass
class Count:
    """What became of the files of one reader."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    others: int = 0
    """Other exceptions than the documented one."""
    slow: int = 0
    slowest_ms: float = 0.0
    memory_mb: float = 0.0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        """Takes in another share of the same reader's files."""
        for name in ("inputs", "accepted", "refused", "others", "slow", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest_ms = max(self.slowest_ms, other.slowest_ms)
        self.memory_mb = max(self.memory_mb, other.memory_mb)
        self.findings += other.findings

    def failed(self) -> bool:
        """Whether anything happened that must not."""
        return bool(self.others or self.slow or self.memory_mb > MOST_MEMORY)


def files(name: str, seed: int, block: int) -> Iterator[bytes]:
    """The damaged files of one block, always the same ones."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), block])
    dice = Dice(rng)
    for _ in range(BLOCK):
        yield READERS[name].make(dice)


def run(name: str, seed: int, first: int, inputs: int, *, place: Path, keep: Path) -> Count:
    """So many files from block `first` on; those that break a promise are written to `keep`."""
    reader, count = READERS[name], Count()
    path = place / f"{name}-{first}"
    for data in reader.good():
        with suppress(reader.error):
            reader.read(data, path)
    before = peak_memory(forget=True)
    started = time.perf_counter()
    block = first
    with alarm() as wind, listening() as aside:
        while count.inputs < inputs:
            for data in files(name, seed, block):
                if count.inputs == inputs:
                    break
                wind(HANGING)
                what = attempt(reader, data, path, count)
                wind(0)
                if aside:
                    count.others += 1
                    what = what or f"aside: {aside[0]}"
                    aside.clear()
                if what:
                    file = keep / f"{name}-{seed}-{block}-{zlib.crc32(data):08x}"
                    file.write_bytes(data)
                    count.findings.append(f"{file}: {what}")
            block += 1
    count.seconds = time.perf_counter() - started
    count.memory_mb = (peak_memory() - before) / 2**20
    path.unlink(missing_ok=True)
    return count


def attempt(reader: Reader, data: bytes, path: Path, count: Count) -> str:
    """Reads one file and counts what happens; says what is wrong, if anything is."""
    wrong = ""
    count.inputs += 1
    started = time.process_time()
    try:
        reader.read(data, path)
        count.accepted += 1
    except reader.error:
        count.refused += 1
    except (Exception, Hanging) as error:
        count.others += 1
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        wrong = f"{type(error).__name__}: {str(error)[:100]} ({where})"
    seconds = time.process_time() - started
    count.slowest_ms = max(count.slowest_ms, 1000 * seconds)
    if seconds > SLOWEST:
        count.slow += 1
        wrong = wrong or f"{seconds:.2f} s"
    return wrong


@contextmanager
def alarm() -> Iterator[Callable[[float], None]]:
    """A function that raises Hanging after so many seconds of processor time; 0: not at all."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hanging(f"over {HANGING:g} s")

    before = signal.signal(signal.SIGPROF, ring)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_PROF, seconds) and None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def listening() -> Iterator[list[str]]:
    """What Python complains of without raising it, as when an object is destroyed in use."""
    heard: list[str] = []
    hooks = sys.excepthook, sys.unraisablehook
    sys.excepthook = lambda kind, error, _: heard.append(f"{kind.__name__}: {error}")
    sys.unraisablehook = lambda unraisable: heard.append(repr(unraisable.exc_value))
    try:
        yield heard
    finally:
        sys.excepthook, sys.unraisablehook = hooks


def peak_memory(*, forget: bool = False) -> float:
    """The most bytes that this process has had; since the last time it was to forget, on Linux."""
    status, peak = Path("/proc/self/status"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with suppress(OSError):
        if forget:
            Path("/proc/self/clear_refs").write_text("5")
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                peak = int(line.split()[1])
    return float(peak * 1024)

"""SGEMM, the control: this machine's speed of multiplying two large float32 matrices."""

from __future__ import annotations

import numpy as np

from benchmarks.speed.work import Data, Task, Work, seconds

SIDE = 2048
FLOPS = 2 * SIDE**3
"""Floating-point operations of one product."""


def train(work: Work, data: Data, threads: int) -> Task:
    """Seconds of one product of two SIDE x SIDE matrices."""
    rng = np.random.default_rng(0)
    A = rng.random((SIDE, SIDE), dtype=np.float32)
    C = np.empty_like(A)
    return Task(
        run=lambda: seconds(lambda: np.matmul(A, A, out=C), 20), accuracy=lambda: float("nan")
    )


predict = train

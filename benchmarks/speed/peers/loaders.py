"""Data loaders of other libraries: the same 70,000 images from disk, without their checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.speed.work import Data, Task, Work, seconds


def load_idx(work: Work, data: Data, threads: int) -> Task:
    """As torchvision does: the four unpacked IDX files, then a division by 255."""
    folder = Path(data.folder)

    def read() -> list[np.ndarray]:
        arrays = []
        for name in data.ARRAYS:
            raw = np.frombuffer((folder / f"{name}.idx").read_bytes(), np.uint8)
            pixels = name.startswith("X")
            body = raw[16 if pixels else 8 :]
            arrays.append(
                body.reshape(-1, 784).astype(np.float32) / 255 if pixels else body.astype(np.int64)
            )
        return arrays

    return Task(run=lambda: seconds(read), accuracy=lambda: float("nan"))


def load_npz(work: Work, data: Data, threads: int) -> Task:
    """As Keras does: one compressed npz, then a division by 255."""
    path = Path(data.folder) / "mnist.npz"

    def read() -> list[np.ndarray]:
        with np.load(path) as arrays:
            return [
                arrays[name].reshape(-1, 784).astype(np.float32) / 255
                if name.startswith("X")
                else arrays[name]
                for name in data.ARRAYS
            ]

    return Task(run=lambda: seconds(read), accuracy=lambda: float("nan"))

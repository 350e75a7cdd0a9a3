"""Scaling of training's cost with network, batch and data: one process for each point.

python -m benchmarks.speed.growth WIDTHS BATCH IMAGES FOLDER measures one of
point and prints it as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WIDTHS = (64, 128, 256, 512, 1024, 2048)
DEPTHS = (1, 2, 4, 8)
BATCHES = (1, 8, 32, 128, 512, 4096)
IMAGES = (6_000, 60_000, 600_000)


@dataclass(frozen=True)
class Point:
    """One network, batch size and number of images; ReLU and Adam throughout."""

    what: str
    value: int
    widths: tuple[int, ...] = (784, 128, 10)
    batch_size: int = 128
    images: int = 60_000


@dataclass(frozen=True)
class Cost:
    """What one epoch cost there."""

    what: str
    value: int
    seconds: float
    mib: float
    """Memory that the process holds while it trains; the file of the images is not counted."""


def points(*, quick: bool) -> list[Point]:
    """All points, or in a hurry every other one, with fewer images."""
    step = 2 if quick else 1
    return [
        *(Point("width", w, (784, w, 10)) for w in WIDTHS[::step]),
        *(Point("depth", d, (784, *[128] * d, 10)) for d in DEPTHS[::step]),
        *(Point("batch", b, batch_size=b) for b in BATCHES[::step]),
        *(Point("images", n, images=n) for n in (IMAGES[:1] if quick else IMAGES)),
    ]


def costs(folder: Path, *, quick: bool, say: Callable[[str], None]) -> list[Cost]:
    """Each point measured in a process of its own, one after the other."""
    found = []
    for point in points(quick=quick):
        images = min(point.images, 6_000) if quick else point.images
        command = [
            sys.executable, "-m", "benchmarks.speed.growth",
            ",".join(map(str, point.widths)), str(point.batch_size), str(images), str(folder),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(Cost(point.what, point.value, **json.loads(done.stdout)))
        say(f"{point.what} {point.value}: {found[-1].seconds:.2f} s an epoch")
    return found


def measure(
    widths: tuple[int, ...], batch_size: int, images: int, folder: Path
) -> dict[str, float]:
    """Seconds of the quicker of two epochs, on images that stay in their file, and memory."""
    import chainrule as cr

    X, y = tiled(folder, images)
    rng = np.random.default_rng(0)
    network = cr.Network.dense(widths, rng=rng)
    seconds, mib = [], 0.0
    for epoch in cr.train(network, (X, y), rng=rng, epochs=2, batch_size=batch_size):
        seconds.append(epoch.seconds)
        mib = max(mib, memory_mib())
    return {"seconds": min(seconds), "mib": round(mib)}


def tiled(folder: Path, images: int) -> tuple[np.ndarray, np.ndarray]:
    """So many images as a memory-mapped array: the training set, repeated where it ends."""
    path = folder / f"images-{images}.npy"
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    if not path.exists():
        file = np.lib.format.open_memmap(path, "w+", np.float32, (images, X.shape[1]))
        for start in range(0, images, len(X)):
            file[start : start + len(X)] = X[: images - start]
        file.flush()
    return np.load(path, mmap_mode="r"), np.resize(y, images)


def memory_mib() -> float:
    """This process's memory without the pages of files (Linux); elsewhere its peak, with them."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    widths = tuple(int(width) for width in sys.argv[1].split(","))
    print(json.dumps(measure(widths, int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))

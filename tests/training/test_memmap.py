"""Data that stay in their file: the same bits as from memory, and files larger than memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule.training.train
from chainrule.core.arrays import Array
from chainrule.nn.network import Network
from chainrule.training.evaluate import evaluate
from chainrule.training.train import train

ROWS = 60


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, tuple[Array, Array]]:
    """(a folder with images and labels as .npy and as bare bytes, the same in memory)"""
    rng = np.random.default_rng(5)
    images, labels = rng.random((ROWS, 30), dtype=np.float32), rng.integers(0, 4, ROWS)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", labels)
    images.tofile(tmp_path / "images")
    labels.tofile(tmp_path / "labels")
    return tmp_path, (images, labels)


def mapped(folder: Path, kind: str) -> tuple[Array, Array]:
    """The examples of the folder, left there."""
    if kind == "numpy.load":
        images, labels = (
            np.load(folder / name, mmap_mode="r") for name in ("images.npy", "labels.npy")
        )
    else:
        images = np.memmap(folder / "images", np.float32, mode="r", shape=(ROWS, 30))
        labels = np.memmap(folder / "labels", np.int64, mode="r")
    assert isinstance(images, np.memmap)
    assert isinstance(labels, np.memmap)
    return images, labels


def run(examples: tuple[Array, Array], shuffled: bool, threads: int) -> tuple[bytes, list[Any]]:
    """(the weights after three epochs, all that was measured on the way)"""
    network = Network.dense([30, 12, 4], rng=np.random.default_rng(0))
    settings = {"epochs": 3, "batch_size": 16, "validation": examples, "threads": threads}
    rng = np.random.default_rng(1) if shuffled else None
    epochs = list(train(network, examples, rng=rng, **settings))
    measured = [(epoch.loss, epoch.validation_loss, epoch.validation_accuracy) for epoch in epochs]
    return network.parameters.tobytes(), [*measured, evaluate(network, examples)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("kind", ["numpy.load", "numpy.memmap"])
def test_a_file_trains_to_the_same_bits_as_the_array_in_memory(
    files: tuple[Path, tuple[Array, Array]],
    kind: str,
    shuffled: bool,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chainrule.training.microbatches.WORK_PER_CORE", 1)
    folder, examples = files
    assert run(mapped(folder, kind), shuffled, threads) == run(examples, shuffled, threads)


SPARE = 100_000_000
"""Bytes that a process may take beyond what Python, NumPy and chainrule take before they train."""

ROWS_OF_FILE, INPUTS = 4096, 50_000
"""0.8 GB in float32, all zeros: the file has a length, but no contents on the disk."""

LIMITED = """
import resource, sys
import numpy as np
from chainrule.nn.network import Network
from chainrule.training.train import train
from chainrule.training.evaluate import evaluate

path, how, order, spare = *sys.argv[1:4], int(sys.argv[4])
network = Network.dense([50_000, 4, 3], rng=np.random.default_rng(0))
before = network.parameters.copy()
np.ones((200, 200)) @ np.ones((200, 200))  # BLAS takes its memory at its first product
with open("/proc/self/status") as status:
    (taken,) = (int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
limit = taken + spare
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

images = np.load(path, mmap_mode="r" if how == "mapped" else None)
labels = np.arange(len(images)) % 3
assert images.nbytes > 2 * limit, (images.nbytes, limit)
rng = None if order == "of the file" else np.random.default_rng(0)
(epoch,) = train(network, (images, labels), rng=rng, epochs=1, batch_size=128, threads=1)
assert epoch.step == len(images) // 128
assert np.isfinite(epoch.loss)
assert not np.array_equal(network.parameters, before)
mean, accuracy = evaluate(network, (images[:1000], labels[:1000]))
assert np.isfinite(mean)
print("trained")
"""


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "images.npy"
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (ROWS_OF_FILE, INPUTS)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * ROWS_OF_FILE * INPUTS)
    return path


def train_under_limit(path: Path, how: str, order: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, str(path), how, order, str(SPARE)],
        capture_output=True,
        text=True,
        check=False,
        env={
            "PYTHONPATH": str(Path(chainrule.training.train.__file__).parents[2]),
            "OPENBLAS_NUM_THREADS": "1",
        },
    )


linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux holds a process to a limit of its data's size"
)


@linux_only
@pytest.mark.parametrize("order", ["of the file", "drawn"])
def test_a_file_larger_than_the_memory_allowed_is_trained_on(large_file: Path, order: str) -> None:
    done = train_under_limit(large_file, "mapped", order)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr


@linux_only
def test_the_same_file_does_not_fit_into_that_memory(large_file: Path) -> None:
    done = train_under_limit(large_file, "loaded", "of the file")
    assert done.returncode == 1
    assert "MemoryError: Unable to allocate" in done.stderr

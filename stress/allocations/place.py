"""Place of the allocations test: data in every format, and a run, which must all stay whole."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from chainrule.core.files import TEMPORARY
from chainrule.data.readers.idx import write_idx

ROOT = Path(__file__).parents[2]
RUN, AGAIN = Path("runs") / "victim", Path("runs") / "again"
TRAIN = ("--batch-size", "50", "--validation", "20", "--checkpoint-every", "3", "--no-pictures")
DATA = ("data.csv", "fractions.csv", "data.npz", "train-images-idx3-ubyte", "pictures", "data.pkl")


def make(folder: Path, rows: int, width: int) -> None:
    """Data of so many examples in every format, and a run with one hidden layer of this width."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, rows)
    images = np.clip(rng.integers(0, 90, (rows, 28, 28)) + 50 * labels[:, None, None], 0, 255)
    images, flat = images.astype(np.uint8), images.reshape(rows, -1)
    table = np.column_stack([labels, flat])
    np.savetxt(folder / "data.csv", table, fmt="%d", delimiter=",")
    fractions = np.column_stack([labels, flat / 1000])
    np.savetxt(folder / "fractions.csv", fractions, fmt="%.3f", delimiter=",")
    half = rows // 2
    parts = ((images[:half], labels[:half]), (images[half:], labels[half:]))
    (x_train, y_train), (x_test, y_test) = parts
    np.savez(folder / "data.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    (folder / DATA[3]).write_bytes(write_idx(images))
    (folder / "train-labels-idx1-ubyte").write_bytes(write_idx(labels))
    (folder / "data.pkl").write_bytes(pickle.dumps(parts))
    for number, (image, label) in enumerate(zip(images[:60], labels[:60], strict=True)):
        home = folder / "pictures" / "abc"[label]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(home / f"{number}.png")
    options = ("--data", "data.csv", "--layers", f"784,{width},10", "--epochs", "1", *TRAIN)
    subprocess.run(
        [sys.executable, "-m", "chainrule", "train", "--quiet", *options, "--run", RUN.name],
        cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    shutil.copytree(folder, folder / "warm")


def environment() -> dict[str, str]:
    """Environment in which a child finds this folder; its large allocations are the system's."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    # Memory that was given back, or set aside for threads, is not there for the next allocation,
    # which could not fail then.
    kept = {name: "65536" for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")}
    kept["MALLOC_ARENA_MAX"] = "1"
    return os.environ | kept | {"PYTHONPATH": path, "RUST_BACKTRACE": "0"}


def contents(folder: Path) -> dict[Path, bytes]:
    """The data and the files of the run by their paths; not its lock's, which each process writes.

    The run `again` and what only warms a process up are left out.
    """
    others = (folder / AGAIN, folder / "warm")
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", ".writer")
        if not any(path.is_relative_to(other) for other in others)
    }


def temporaries(folder: Path) -> list[Path]:
    """Files that were never finished."""
    return [path for path in folder.rglob("*") if TEMPORARY.fullmatch(path.name)]

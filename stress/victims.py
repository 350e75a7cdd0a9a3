"""Victims: small training runs as processes of their own, killed with SIGKILL and resumed."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

OPTIONS = (
    "--layers", "64,24,10", "--epochs", "100", "--batch-size", "20", "--validation", "60",
    "--patience", "99", "--schedule", "plateau", "--checkpoint-every", "2", "--no-pictures",
)  # fmt: skip
EARLY = 0.2
"""The share of kills at any time from the start of the process; the others hit it training."""
LONGEST = 0.4
"""Seconds between the first checkpoint of a process and its end, at most."""
VICTIM = Path("runs") / "victim"

Figures = TypeVar("Figures")


class Ended(NamedTuple):
    """End of a process: its code (-9: killed), and what it said on stderr."""

    code: int
    said: str


def images(path: Path) -> None:
    """300 random pictures of 8 x 8 of three digits, as CSV."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    pixels = np.clip(rng.integers(0, 90, (300, 64)) + 50 * labels[:, None], 0, 255)
    np.savetxt(path, np.column_stack([labels, pixels]), fmt="%d", delimiter=",")


def command(*arguments: str) -> list[str]:
    """`chainrule train` with these arguments."""
    return [sys.executable, "-m", "chainrule", "train", *arguments]


def undisturbed(folder: Path) -> str:
    """Checksum of the weights of a run in this folder that nothing disturbs; makes its data."""
    images(folder / "data.csv")
    subprocess.run(
        command("--quiet", "--data", "data.csv", *OPTIONS, "--run", "undisturbed"),
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return weights(folder / "runs" / "undisturbed")


def weights(run: Path) -> str:
    """A checksum of the run's final weights."""
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def checkpoints(run: Path) -> set[tuple[str, int]]:
    """(name, time of its last change) of each checkpoint, whole or not."""
    found = set()
    for path in (run / "checkpoints").glob("step-*.safetensors"):
        with suppress(FileNotFoundError):  # removed meanwhile, for newer ones
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def live(folder: Path, rng: np.random.Generator | None) -> Ended:
    """One process, begun or resumed, killed at a random moment if there is an rng."""
    run = folder / VICTIM
    if not (run / "config.toml").is_file():
        shutil.rmtree(run, ignore_errors=True)
        arguments = ["--data", "data.csv", *OPTIONS, "--run", run.name]
    else:
        arguments = ["--resume", run.name, "--no-pictures", "--checkpoint-every", "2"]
    before = checkpoints(run)
    log = folder / "stderr"  # not a pipe, which could fill and hold the process up
    with log.open("wb") as stderr, subprocess.Popen(
        command(*arguments), cwd=folder, stdout=subprocess.DEVNULL, stderr=stderr
    ) as process:  # fmt: skip
        if rng:
            early = rng.random() < EARLY
            moment = time.monotonic() + rng.uniform(0, 1)
            while process.poll() is None and (
                time.monotonic() < moment if early else checkpoints(run) <= before
            ):
                time.sleep(0.002)
            time.sleep(0 if early else rng.uniform(0, LONGEST))
            process.send_signal(signal.SIGKILL)
    said = log.read_text("utf-8", "replace")
    return Ended(process.returncode, said)


def together(
    torture: Callable[[int, np.random.Generator], Figures], kills: int, *, jobs: int, seed: int
) -> Figures:
    """Sums of the figures of so many kills, in several folders at a time."""
    generators = np.random.default_rng(seed).spawn(jobs)
    with ThreadPoolExecutor(jobs) as pool:
        parts: list[Any] = list(pool.map(torture, shares(kills, jobs), generators))
    sums = (sum(getattr(part, column.name) for part in parts) for column in fields(parts[0]))
    total: Figures = type(parts[0])(*sums)
    return total


def shares(kills: int, jobs: int) -> Iterator[int]:
    """The kills, shared out."""
    for job in range(jobs):
        yield kills // jobs + (job < kills % jobs)

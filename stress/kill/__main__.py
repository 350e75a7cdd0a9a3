"""Kill test: training killed at random moments and resumed, python -m stress.kill --kills 1000

Each run is killed with SIGKILL, which no process can catch, and resumed, until it is finished; then
its weights must equal those of an undisturbed run, bit for bit. After each kill every checkpoint in
the folder must be whole, and none may be missing except those that a newer one replaces.

The operating system keeps what a dead process wrote, so this test finds no missing flush to the
disk; tests/core/test_power_cut.py does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from chainrule.core.errors import ModelFileError
from chainrule.training.checkpoint import read_checkpoint
from stress.table import Row, none_of

OPTIONS = (
    "--layers", "64,24,10", "--epochs", "100", "--batch-size", "20", "--validation", "60",
    "--patience", "99", "--schedule", "plateau", "--checkpoint-every", "2", "--no-pictures",
)  # fmt: skip
EARLY = 0.2
"""The share of kills at any time from the start of the process; the others hit it training."""

LONGEST = 0.4
"""Seconds between the first checkpoint of a process and its end, at most."""


@dataclass
class Figures:
    """What was seen."""

    kills: int = 0
    kills_while_training: int = 0
    """Kills after which there was a newer checkpoint than before."""
    runs: int = 0
    """Runs that came to their end."""
    checkpoints_corrupt: int = 0
    checkpoints_lost: int = 0
    runs_that_ended_otherwise: int = 0
    """Runs whose weights were not those of the undisturbed run, or that could not go on."""

    def failures(self) -> int:
        """How many promises were broken."""
        return self.checkpoints_corrupt + self.checkpoints_lost + self.runs_that_ended_otherwise


def images(path: Path) -> None:
    """300 random pictures of 8 x 8 of three digits, as CSV."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    pixels = np.clip(rng.integers(0, 90, (300, 64)) + 50 * labels[:, None], 0, 255)
    np.savetxt(path, np.column_stack([labels, pixels]), fmt="%d", delimiter=",")


def command(*arguments: str) -> list[str]:
    """`chainrule train` with these arguments."""
    return [sys.executable, "-m", "chainrule", "train", "--quiet", *arguments]


def weights(run: Path) -> str:
    """A checksum of the run's final weights."""
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def steps(run: Path, figures: Figures) -> int:
    """The steps of the newest checkpoint; counts those that are not whole."""
    found = [0]
    for path in (run / "checkpoints").glob("step-*.safetensors"):
        try:
            found.append(read_checkpoint(path).progress.step)
        except ModelFileError as error:
            figures.checkpoints_corrupt += 1
            print(f"corrupt: {error}", file=sys.stderr)
    return max(found)


def live(folder: Path, rng: np.random.Generator | None) -> int:
    """One process, begun or resumed, killed at a random moment if there is an rng; its code."""
    run = folder / "runs" / "victim"
    if not (run / "config.toml").is_file():
        shutil.rmtree(run, ignore_errors=True)
        arguments = ["--data", "data.csv", *OPTIONS, "--run", "victim"]
    else:
        arguments = ["--resume", "victim", "--no-pictures", "--checkpoint-every", "2"]
    before = names(run)
    with subprocess.Popen(
        command(*arguments), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        if rng:
            early = rng.random() < EARLY
            moment = time.monotonic() + rng.uniform(0, 1)
            while process.poll() is None and (
                time.monotonic() < moment if early else names(run) == before
            ):
                time.sleep(0.002)
            time.sleep(0 if early else rng.uniform(0, LONGEST))
            process.send_signal(signal.SIGKILL)
        _, complaint = process.communicate()
    if process.returncode > 0:
        print(complaint.decode(), file=sys.stderr)
    return process.returncode


def names(run: Path) -> set[str]:
    """Of the checkpoints that are there."""
    return {path.name for path in (run / "checkpoints").glob("step-*")}


def torture(kills: int, rng: np.random.Generator) -> Figures:
    """So many kills, one after the other."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        images(folder / "data.csv")
        subprocess.run(
            command("--data", "data.csv", *OPTIONS, "--run", "undisturbed"),
            cwd=folder, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wanted = weights(folder / "runs" / "undisturbed")
        run = folder / "runs" / "victim"
        step = 0
        while figures.kills < kills or step:
            # When all kills are done, the last run may come to its end.
            code = live(folder, rng if figures.kills < kills else None)
            now = steps(run, figures)
            figures.checkpoints_lost += now < step
            if code == -signal.SIGKILL:
                figures.kills += 1
                figures.kills_while_training += now > step
                step = now
                continue
            figures.runs += 1
            figures.runs_that_ended_otherwise += code != 0 or weights(run) != wanted
            shutil.rmtree(run)
            step = 0
    return figures


def rows(short: bool) -> Iterator[Row]:
    """Training killed again and again, each run until its end."""
    total = together(10 if short else 1000, jobs=2, seed=0)
    yield none_of(
        f"kills, {total.kills_while_training:,} of them after a new checkpoint: checkpoints "
        "damaged or lost, runs that end otherwise", total.failures(), f"{total.kills:,}",
    )  # fmt: skip


def together(kills: int, *, jobs: int, seed: int) -> Figures:
    """So many kills, in several folders at a time."""
    generators = np.random.default_rng(seed).spawn(jobs)
    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(torture, shares(kills, jobs), generators))
    return Figures(
        *(sum(getattr(part, column.name) for part in parts) for column in fields(Figures))
    )


def shares(kills: int, jobs: int) -> Iterator[int]:
    """The kills, shared out."""
    for job in range(jobs):
        yield kills // jobs + (job < kills % jobs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m stress.kill", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    started = time.perf_counter()
    total = together(asked.kills, jobs=asked.jobs, seed=asked.seed)
    seconds = round(time.perf_counter() - started)
    if asked.json:
        print(json.dumps(asdict(total) | {"seconds": seconds}))
    else:
        for name, value in (asdict(total) | {"seconds": seconds}).items():
            print(f"{value:6}  {name.replace('_', ' ')}")
    return 1 if total.failures() else 0


if __name__ == "__main__":
    sys.exit(main())

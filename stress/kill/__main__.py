"""Kill test: training killed at random moments and resumed, python -m stress.kill --kills 1000

Each run is killed with SIGKILL, which no process can catch, and resumed, until it is finished; then
its weights must equal those of an undisturbed run, bit for bit. After each kill every checkpoint in
the folder must be whole, and none may be missing except those that a newer one replaces.

The operating system keeps what a dead process wrote, so this test finds no missing flush to the
disk; tests/core/test_power_cut.py does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from chainrule.core.errors import ModelFileError
from chainrule.training.checkpoint import read_checkpoint
from stress.table import Row, none_of
from stress.victims import VICTIM, live, together, undisturbed, weights


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


def torture(kills: int, rng: np.random.Generator) -> Figures:
    """So many kills, one after the other."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wanted = undisturbed(folder)
        run = folder / VICTIM
        step = 0
        while figures.kills < kills or step:
            # When all kills are done, the last run may come to its end.
            code, said = live(folder, rng if figures.kills < kills else None)
            now = steps(run, figures)
            figures.checkpoints_lost += now < step
            if code == -signal.SIGKILL:
                figures.kills += 1
                figures.kills_while_training += now > step
                step = now
                continue
            if code:
                print(said, file=sys.stderr)
            figures.runs += 1
            figures.runs_that_ended_otherwise += code != 0 or weights(run) != wanted
            shutil.rmtree(run)
            step = 0
    return figures


def rows(short: bool) -> Iterator[Row]:
    """Training killed again and again, each run until its end."""
    total = together(torture, 10 if short else 1000, jobs=2, seed=0)
    yield none_of(
        f"kills, {total.kills_while_training:,} of them after a new checkpoint: checkpoints "
        "damaged or lost, runs that end otherwise", total.failures(), f"{total.kills:,}",
    )  # fmt: skip


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
    total = together(torture, asked.kills, jobs=asked.jobs, seed=asked.seed)
    seconds = round(time.perf_counter() - started)
    if asked.json:
        print(json.dumps(asdict(total) | {"seconds": seconds}))
    else:
        for name, value in (asdict(total) | {"seconds": seconds}).items():
            print(f"{value:6}  {name.replace('_', ' ')}")
    return 1 if total.failures() else 0


if __name__ == "__main__":
    sys.exit(main())

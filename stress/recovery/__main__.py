"""Recovery test: killed, its newest checkpoints damaged, resumed, python -m stress.recovery

A run is killed with SIGKILL; then its newest checkpoints are damaged: a flipped bit, a cut, nothing
left, zeros, another program's file. It is resumed and killed again, until it is finished. It must
go on from the newest whole checkpoint, keep each damaged file's content under another name, and end
with the weights of an undisturbed run, bit for bit. At times a checkpoint of a later format lies
there instead: it must be refused by name, and nothing in the folder changed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from chainrule.core.errors import ModelFileError
from chainrule.core.files import TEMPORARY
from chainrule.training.checkpoint import NAME, read_checkpoint
from stress.recovery.damage import damage, of_later_format
from stress.table import Row, none_of
from stress.victims import VICTIM, live, together, undisturbed, weights

KILLS = 300
ALL_DAMAGED = 0.1
"""The share of kills after which not one checkpoint is left whole."""
NEXT_FORMAT = 0.15
"""The share of kills after which one of a later format is put in the newest one's place."""
LOCK = (".lock", ".writer")
RESUMED = re.compile(r"^resuming .* step ([0-9]+)$", re.MULTILINE)
FROM_THE_START = "training starts from the beginning"


@dataclass
class Figures:
    """What was seen."""

    kills: int = 0
    damaged: int = 0
    """Checkpoints that were damaged."""
    later: int = 0
    """Checkpoints of a later format."""
    from_the_start: int = 0
    """Processes that began again as not one checkpoint was whole."""
    runs: int = 0
    """Runs that came to their end."""
    tracebacks: int = 0
    wrong_starts: int = 0
    """Processes that did not go on from the newest whole checkpoint."""
    lost: int = 0
    """Whole checkpoints that went without a newer one, damaged files whose content is gone."""
    not_refused: int = 0
    """Files of a later format that were not refused by name, or something was changed."""
    runs_that_ended_otherwise: int = 0

    def failures(self) -> int:
        """How many promises were broken."""
        wrong = self.tracebacks + self.wrong_starts + self.lost + self.not_refused
        return wrong + self.runs_that_ended_otherwise


@dataclass
class Patient:
    """A run in a folder, and what was done to its checkpoints."""

    folder: Path
    figures: Figures
    hurt: list[tuple[str, bytes]] = field(default_factory=list)
    """(name, content) of each damaged file."""

    @property
    def run(self) -> Path:
        """Its folder."""
        return self.folder / VICTIM

    def whole(self) -> list[Path]:
        """The whole checkpoints, newest first."""
        found = {}
        for path in (self.run / "checkpoints").glob("step-*.safetensors"):
            if NAME.fullmatch(path.name):
                with suppress(ModelFileError):
                    found[path] = read_checkpoint(path).progress.step
        return sorted(found, key=lambda path: found[path], reverse=True)

    def step(self) -> int:
        """The steps of the newest whole checkpoint; 0: there is none."""
        return max((int(path.stem.removeprefix("step-")) for path in self.whole()), default=0)

    def resumed(self, rng: np.random.Generator | None) -> int:
        """One process, killed if there is an rng; counts what it did wrong; returns its code."""
        newest, begun = self.step(), (self.run / "config.toml").is_file()
        code, said = live(self.folder, rng)
        self._judge_words(code, said, newest, begun=begun)
        aside = {path.read_bytes() for path in (self.run / "checkpoints").glob("step-*.damaged*")}
        there = aside | {path.read_bytes() for path in (self.run / "checkpoints").glob("step-*")}
        self.figures.lost += sum(content not in there for _, content in self.hurt)
        self.figures.lost += self.step() < newest
        if RESUMED.search(said) or FROM_THE_START in said:
            self.figures.lost += sum(content not in aside for _, content in self.hurt)
        return code

    def _judge_words(self, code: int, said: str, newest: int, *, begun: bool) -> None:
        """Counts words that are wrong for a run whose newest whole checkpoint is this one."""
        figures = self.figures
        figures.tracebacks += "Traceback" in said
        figures.from_the_start += FROM_THE_START in said
        step = RESUMED.search(said)
        wrong = (step and int(step[1]) != newest) or (newest and FROM_THE_START in said)
        silent = begun and not code and not step and FROM_THE_START not in said
        figures.wrong_starts += bool(wrong or silent)
        if wrong or silent or code > 0:
            print(f"newest whole: step {newest}; code {code}\n{said}", file=sys.stderr)

    def damage(self, rng: np.random.Generator) -> None:
        """Damages the newest whole checkpoints: one at least, at times all."""
        whole = self.whole()
        if not whole:
            return
        some = int(rng.integers(1, max(len(whole), 2)))
        count = len(whole) if rng.random() < ALL_DAMAGED else some
        for path in whole[:count]:
            self.hurt.append((path.name, damage(path, rng)))
            self.figures.damaged += 1

    def meets_later_format(self) -> None:
        """Its newest checkpoint is of a later format: that must be refused, all left as it is."""
        whole = self.whole()
        if not whole:
            return
        of_later_format(whole[0])
        before = contents(self.run)
        code, said = live(self.folder, None)
        self.figures.later += 1
        refused = code == 1 and f"error: {VICTIM}/checkpoints/{whole[0].name}: " in said
        if not refused or contents(self.run) != before or "Traceback" in said:
            self.figures.not_refused += 1
            after = contents(self.run)
            changed = [str(path) for path in before | after if before.get(path) != after.get(path)]
            print(f"of a later format: {code}; {changed}; {said}", file=sys.stderr)
        whole[0].unlink()


def contents(run: Path) -> dict[Path, bytes]:
    """Every file of a run but its lock's two, which each process writes."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in LOCK]
    return {path: path.read_bytes() for path in files}


def torture(kills: int, rng: np.random.Generator) -> Figures:
    """So many kills, each followed by damage, one after the other."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        wanted = undisturbed(folder)
        patient = Patient(folder, figures)
        while figures.kills < kills or patient.run.exists():
            # When all kills are done, the last run may come to its end.
            code = patient.resumed(rng if figures.kills < kills else None)
            if code == -signal.SIGKILL:
                figures.kills += 1
                if rng.random() < NEXT_FORMAT:
                    patient.meets_later_format()
                patient.damage(rng)
                continue
            figures.runs += 1
            left = [path for path in patient.run.rglob("*") if TEMPORARY.fullmatch(path.name)]
            otherwise = code != 0 or bool(left) or weights(patient.run) != wanted
            figures.runs_that_ended_otherwise += otherwise
            shutil.rmtree(patient.run)
            patient.hurt.clear()
    return figures


def rows(short: bool) -> Iterator[Row]:
    """Training killed, its newest checkpoints damaged, resumed, several times over."""
    total = together(torture, 6 if short else KILLS, jobs=2, seed=0)
    yield none_of(
        f"kills, each with damage to the newest checkpoints, {total.damaged:,} in all, "
        f"{total.later:,} of a later format: tracebacks, starts from another checkpoint than the "
        "newest whole one, contents lost, other weights at the end", total.failures(),
        f"{total.kills:,}",
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m stress.recovery", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=KILLS)
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

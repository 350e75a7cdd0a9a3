"""Allocations test: memory runs out at every point of a save and of a load.

    python -m stress.allocations [--short]

Two ways. One by one, every allocation of Python's objects fails in a process that goes on: earlier
files stay whole, no temporary file is left, the next save works, no whole file is called damaged.
And whole commands run with less and less memory (the system's limit on a process, which NumPy,
Pillow and safetensors meet too): each ends in one sentence with exit code 1 or 74, or succeeds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from chainrule.core.errors import ModelFileError
from chainrule.core.tensor_file import read_sealed
from chainrule.nn.model_file import FORMATS
from chainrule.training.checkpoint import FORMAT
from stress.allocations.one_by_one import CASES
from stress.allocations.place import (
    AGAIN,
    DATA,
    RUN,
    TRAIN,
    contents,
    environment,
    make,
    temporaries,
)
from stress.table import Row, none_of, run

AT_ONCE = 2
PATIENCE = 300.0
"""Seconds after which a process is taken to hang."""
LEAST, MOST = 0.05, 64.0
"""Mebibytes more than a process has: from where nothing can be done to where all can."""
CRASHING = ("model load", "resume", "data.csv", "fractions.csv")
"""Operations within which safetensors' reader panics, or NumPy's comparison of arrays crashes, if
Python has no memory for one small object; where a file does not fit, whole commands end in a
sentence all the same."""
SENTENCES = ("error: ", "OpenBLAS: malloc failed")
"""How a last line begins: OpenBLAS ends the process itself, with code 1, where it has no buffer."""
TRAIN_AGAIN = ("train", "--data", "data.csv", "--epochs", "1", *TRAIN, "--run", AGAIN.name)


@dataclass(frozen=True)
class Command:
    """A command, and the function at whose first call its memory ends."""

    name: str
    arguments: tuple[str, ...]
    at: str


def commands(width: int) -> list[Command]:
    """Commands that load and save everything; the network that is trained has this width."""
    read = "chainrule.data.load:from_path"
    again = (*TRAIN_AGAIN, "--layers", f"784,{width},10")
    return [
        *(Command(f"data {name}", ("data", name), read) for name in DATA),
        Command("model load", ("evaluate", RUN.name), "chainrule.runs.folder:load_model"),
        Command(
            "resume", ("train", "--resume", RUN.name, "--no-pictures"),
            "chainrule.runs.run:saved_run",
        ),
        Command("checkpoint save", again, "chainrule.training.checkpointer:write_checkpoint"),
        Command("model save", again, "chainrule.runs.run:save"),
    ]  # fmt: skip


def limited(folder: Path, command: Command, mebibytes: float) -> tuple[bool, str]:
    """(whether the memory ran out, what is wrong in words) of one command."""
    shutil.rmtree(folder / AGAIN, ignore_errors=True)
    before = contents(folder)
    module = "stress.allocations.limited"
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, str(mebibytes), command.at, *command.arguments, "-q"],
            cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return True, f"no end after {PATIENCE:g} s"
    errors = [line for line in done.stderr.splitlines() if line.startswith(SENTENCES)]
    wrong = ""
    if "Traceback" in done.stderr or "panicked" in done.stderr:
        wrong = done.stderr[-1000:]
    elif done.returncode and (done.returncode not in (1, 74) or len(errors) != 1):
        wrong = f"code {done.returncode}: {done.stderr[-1000:]}"
    elif done.returncode and not any(word in errors[0] for word in ("memory", "malloc")):
        wrong = errors[0]
    changed = [str(path) for path, old in before.items() if path.read_bytes() != old]
    # A run that was resumed to its end writes its figures again, with other times.
    if changed and (done.returncode or command.name != "resume"):
        wrong = wrong or f"changed: {changed}"
    if left := temporaries(folder):
        wrong = wrong or f"left: {left}"
    return done.returncode != 0, wrong or not_whole(folder / AGAIN)


def not_whole(run: Path) -> str:
    """What is wrong with the sealed files of a run; empty: nothing."""
    for path in run.rglob("*.safetensors"):
        try:
            read_sealed(path, format=(FORMAT, *FORMATS))
        except ModelFileError as error:
            return str(error)
    return ""


def next_save_works(folder: Path, width: int) -> bool:
    """Whether the run whose saves failed goes on to its end, once there is memory."""
    begun = (folder / AGAIN / "config.toml").is_file()
    resume = ("train", "--resume", AGAIN.name, "--no-pictures")
    arguments = resume if begun else (*TRAIN_AGAIN, "--layers", f"784,{width},10")
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", *arguments, "-q"],
        cwd=folder, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        print(f"the next save: {done.stderr}", file=sys.stderr)
    return done.returncode == 0 and not not_whole(folder / AGAIN)


def whole_commands(folder: Path, width: int, limits: list[float]) -> Row:
    """Row of whole commands with less and less memory."""
    tries, ran_out, broken = 0, 0, 0
    for command, mebibytes in product(commands(width), limits):
        out, wrong = limited(folder, command, mebibytes)
        saves = command.name in ("checkpoint save", "model save")
        if out and saves and not wrong and not next_save_works(folder, width):
            wrong = "the next save fails"
        tries, ran_out, broken = tries + 1, ran_out + out, broken + bool(wrong)
        if wrong:
            print(f"{command.name}, {mebibytes:.3g} MiB: {wrong}", file=sys.stderr)
    return none_of(
        f"commands that load and save, {ran_out:,} of them with too little memory: ends other than "
        "one sentence, changed or half files, the next save fails", broken, f"{tries:,}",
    )  # fmt: skip


def one_by_one(folder: Path, each: int, cases: list[str]) -> Row:
    """Row of single allocations that fail, each so manieth one."""

    def ask(case: str) -> tuple[str, int, str, str]:
        own = folder / f"for {case}"
        shutil.copytree(folder / "warm", own)
        done = subprocess.run(
            [sys.executable, "-m", "stress.allocations.one_by_one", case, str(own), str(each)],
            env=environment(), capture_output=True, text=True,
        )  # fmt: skip
        shutil.rmtree(own)
        return case, done.returncode, done.stdout, done.stderr

    allocations, failed, others, broken = 0, 0, 0, 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for case, code, told, errors in pool.map(ask, cases):
            if code:
                broken += 1
                print(f"{case}: code {code}: {errors[-2000:]}", file=sys.stderr)
                continue
            figures = json.loads(told)
            allocations += figures["allocations"] // each
            failed += figures["failed"]
            others += figures["others"]
            broken += len(figures["broken"])
            for wrong in figures["broken"]:
                print(f"{case}: {wrong}", file=sys.stderr)
    return none_of(
        f"single allocations of a save or a load, {failed:,} of which made it fail ({others:,} in "
        "a library's own words): files changed, half or left, another result, whole files called "
        "damaged, no next save", broken, f"{allocations:,}",
    )  # fmt: skip


def rows(short: bool) -> Iterator[Row]:
    """Memory that runs out at every point of a save and of a load."""
    count, size, width = (3, 150, 100) if short else (25, 1500, 1000)
    limits = [LEAST * (MOST / LEAST) ** (k / (count - 1)) for k in range(count)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        make(folder, 100, 10)
        if find_spec("_testcapi"):  # some systems' Python comes without its tests
            cases = [case for case in CASES if case not in CRASHING]
            cases = ["checkpoint save", "data.npz"] if short else cases
            yield one_by_one(folder, 10 if short else 1, cases)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        make(folder, size, width)
        yield whole_commands(folder, width, limits)


if __name__ == "__main__":
    sys.exit(run(rows, "allocations"))

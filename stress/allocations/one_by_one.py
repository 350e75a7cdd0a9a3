"""Every allocation of one operation made to fail, one after the other, by Python's own hook.

    python -m stress.allocations.one_by_one CASE FOLDER EACH

Prints what became of it as JSON. It is the hook of CPython's own tests, `_testcapi.set_nomemory`:
it fails allocations of Python's objects, and of what libraries ask Python for; not NumPy's arrays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import DataError, ModelFileError
from chainrule.data.readers.formats import read
from chainrule.nn.model_file import load_model, save
from chainrule.training.checkpoint import Checkpoint, latest, write_checkpoint
from stress.allocations.place import DATA, RUN, contents, temporaries

QUIET = 150
"""So many successes in a row: all allocations have been made to fail."""
IN_WORDS = (MemoryError, OSError)
NO_MEMORY = "allocate"
"""In the words of a lock that has no memory: "can't allocate lock"."""


@dataclass
class Figures:
    """What became of it."""

    allocations: int = 0
    failed: int = 0
    """Failures that were noticed; the others changed nothing."""
    others: int = 0
    """Of these, those in the interpreter's or a library's own words, not as MemoryError."""
    broken: list[str] = field(default_factory=list)


def failing(operation: Callable[[], Any], number: int) -> tuple[Any, BaseException | None]:
    """(result, error) of the operation while its allocation of this number fails, that one only."""
    import _testcapi

    result, failure = None, None
    _testcapi.set_nomemory(number, number + 1)
    try:
        result = operation()
    except BaseException as error:  # a panic of Rust is no Exception
        failure = error
    _testcapi.remove_mem_hooks()
    return result, failure


def tried(
    operation: Callable[[], Any],
    same: Callable[[Any], bool],
    whole: Callable[[], str],
    each: int,
) -> Figures:
    """Every allocation of the operation fails once, or each so manieth one.

    `same` says whether a result is right, `whole` what is wrong in the folder.
    """
    operation()
    figures, successes = Figures(), 0
    while successes * each < QUIET:
        result, failure = failing(operation, figures.allocations)
        wrong = whole()
        if failure is None:
            successes += 1
            wrong = wrong or ("" if same(result) else "another result")
        else:
            successes = 0
            figures.failed += 1
            figures.others += not isinstance(failure, IN_WORDS)
            if isinstance(failure, ModelFileError | DataError) and NO_MEMORY not in str(failure):
                wrong = wrong or f"a whole file is called wrong: {failure}"
        if wrong:
            figures.broken.append(f"allocation {figures.allocations}: {wrong}")
        figures.allocations += each
    return figures


def saved(folder: Path, case: str, each: int) -> Figures:
    """Figures of a save: of a checkpoint, beside earlier ones, or of a model, over an earlier."""
    before = contents(folder)
    found = latest(folder / RUN / "checkpoints", report=print)
    assert found
    progress = found.progress
    if case == "checkpoint save":
        made = folder / RUN / "checkpoints" / f"step-{progress.step + 1:09d}.safetensors"
        progress.step += 1
        checkpoint = Checkpoint(
            progress, found.history, found.settings, found.checksums, found.numerics
        )

        def operation() -> Any:
            return write_checkpoint(made.parent, checkpoint)
    else:
        made = folder / RUN / "model.safetensors"
        model = load_model(made)

        def operation() -> Any:
            return save(model, made)

    operation()
    wanted = made.read_bytes()
    expected = before | {made: wanted} if case != "checkpoint save" else contents(folder)

    def whole() -> str:
        there = contents(folder)
        if case == "checkpoint save" and made not in there:
            there |= {made: wanted}  # the save failed before it was there
        else:
            made.unlink(missing_ok=case == "checkpoint save")
            if case != "checkpoint save":
                made.write_bytes(wanted)
        wrong = [str(path) for path in expected | there if expected.get(path) != there.get(path)]
        left = temporaries(folder)
        for path in left:
            path.unlink()
        return f"changed: {wrong}, left: {left}" if wrong or left else ""

    figures = tried(operation, lambda path: path == made, whole, each)
    operation()  # the next save works
    return figures


def loaded(folder: Path, case: str, each: int) -> Figures:
    """Figures of a load: of a model, of a run's newest checkpoint, or of data."""
    before = contents(folder)

    def whole() -> str:
        return "" if {path: path.read_bytes() for path in before} == before else "files changed"

    def operation() -> Any:
        if case == "model load":
            return load_model(folder / RUN / "model.safetensors").members[0].state
        if case == "resume":
            found = latest(folder / RUN / "checkpoints", report=print)
            return found.progress.arrays["parameters"] if found else np.zeros(0)
        return read(folder / case, classes=None).train.images

    wanted = operation().copy()
    return tried(operation, lambda found: np.array_equal(found, wanted), whole, each)


CASES: dict[str, Callable[[Path, str, int], Figures]] = {
    "checkpoint save": saved, "model save": saved, "model load": loaded, "resume": loaded,
    **dict.fromkeys(DATA, loaded),
}  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Prints the figures of a case."""
    case, folder, each = arguments
    print(json.dumps(asdict(CASES[case](Path(folder), case, int(each)))))


if __name__ == "__main__":
    main(sys.argv[1:])

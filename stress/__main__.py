"""All stress tests, in one table: python -m stress [--short] [PART ...]; `make stress`.

In full they take hours: each part may be given alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from stress.table import Row, print_rows

PARTS = {
    "long": "the tests of which `make test` runs a short form",
    "fuzz": "damaged files for each reader",
    "kill": "training killed again and again",
    "recovery": "killed, checkpoints damaged, resumed, several times over",
    "tamper": "checkpoints with wrong values under right checksums",
    "allocations": "memory that runs out while files are saved and loaded",
    "sizes": "the largest file of each kind: its time and memory",
    "hostile": "the service beside hostile clients",
    "clients": "the service asked by clients of other languages, and by a browser",
    "load": "the service under load",
    "mutants": "bugs planted one after another",
}
"""What each part shows; all but two are `rows(short)` in the package stress.NAME."""


def long(short: bool) -> Iterator[Row]:
    """The tests marked long; none of them in short form."""
    if short:
        return
    command = [sys.executable, "-m", "pytest", "-q", "-m", "long", "-n", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout.strip().splitlines()
    yield Row("the long tests", said[-1].strip("= ") if said else "nothing", "all pass",
              done.returncode == 0)  # fmt: skip


def load(short: bool) -> Iterator[Row]:
    """The goals of the service, see benchmarks.service."""
    from benchmarks.service.fuzzing import schema
    from benchmarks.service.parts import PARTS as GOALS
    from benchmarks.service.servers import write_model

    with tempfile.TemporaryDirectory() as folder:
        model = write_model(Path(folder))
        for part in [*GOALS.values(), schema]:
            for goal in part(model, short):
                yield Row(goal.name, goal.figure, goal.promise, goal.kept)


def part(name: str) -> Callable[[bool], Iterator[Row]]:
    """The function of a part."""
    own: dict[str, Callable[[bool], Iterator[Row]]] = {"long": long, "load": load}
    if name in own:
        return own[name]
    found: Callable[[bool], Iterator[Row]] = import_module(f"stress.{name}.__main__").rows
    return found


def rows(names: Sequence[str], short: bool) -> Iterator[Row]:
    """The rows of these parts; a part that fails is a broken promise, and the next one begins."""
    for name in names:
        try:
            yield from part(name)(short)
        except Exception as error:
            yield Row(name, f"{type(error).__name__}: {error}", "runs to its end", held=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; 1 if a promise was broken."""
    listed = "\n".join(f"  {name:<12} {what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m stress",
        description=f"All stress tests, in one table.\n\nparts:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="all, if none is given")
    parser.add_argument("--short", action="store_true", help="less of everything")
    asked = parser.parse_args(arguments)
    broken = print_rows(rows(asked.part or [*PARTS], asked.short))
    print(f"\n{broken} promises broken" if broken else "\nall promises held")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())

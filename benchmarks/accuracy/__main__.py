"""Accuracy benchmark: runs each recipe with each seed into benchmarks/results/records.json:

python -m benchmarks.accuracy

Finished runs are kept, begun ones resumed, and each is recorded as soon as it is finished: it can
be interrupted at any time and repeated. `--write` puts the table into docs/records.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from math import inf

from chainrule.cli.console import note
from chainrule.core.blas import choose_kernel, read_cpuinfo
from chainrule.runs.interrupt import interruptible


def positive(text: str) -> int:
    """A whole number of 1 or more. Raises ValueError."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is missing, or writes the page; the exit code."""
    from benchmarks.accuracy.filling import Filling, fill, run_name
    from benchmarks.accuracy.pages import PAGE, write_page
    from benchmarks.accuracy.rows import ORDER, PLACE, read, write
    from benchmarks.accuracy.table import table
    from chainrule.core.errors import ConfigError, FolderInUseError
    from chainrule.core.files import make_folder
    from chainrule.runs.ensembles import seeds_in
    from chainrule.runs.folder import RUNS
    from chainrule.runs.lock import only_writer

    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--only", default=",".join(ORDER), help="recipes, with commas between")
    parser.add_argument("--seeds", default="0..4", help="such as 0..4 or 0,2")
    parser.add_argument("--hours", type=float, default=inf, help="end after so many, saved")
    parser.add_argument(
        "--jobs", type=positive, default=1, help="runs at a time, sharing the cores"
    )
    parser.add_argument("--again", action="store_true", help="forget these runs first")
    parser.add_argument("--write", action="store_true", help="write docs/records.md, run nothing")
    asked = parser.parse_args(arguments)
    recipes = asked.only.split(",")
    if unknown := [name for name in recipes if name not in ORDER]:
        parser.error(f"no recipe {unknown[0]!r}: choose among {', '.join(ORDER)}")
    try:
        seeds = seeds_in(asked.seeds)
    except ConfigError as error:
        parser.error(str(error))
    if not PLACE.parent.is_dir():
        parser.error("run it in the folder of the repository: there is no benchmarks/results here")
    if asked.write:
        changed = write_page(read())
        note(f"written: {PAGE if changed else 'nothing, all is as it should be'}")
        return 0
    deadline = time.monotonic() + 3600 * asked.hours
    make_folder(RUNS)
    try:
        with only_writer(RUNS), interruptible() as interrupt:
            if asked.again:
                forgotten = [(recipe, seed) for recipe in recipes for seed in (*seeds, None)]
                write([row for row in read() if (row.recipe, row.seed) not in forgotten])
                for recipe, seed in forgotten:
                    shutil.rmtree(RUNS / run_name(recipe, seed), ignore_errors=True)
            failures = fill(
                recipes,
                seeds,
                Filling(lambda: interrupt() or time.monotonic() > deadline, note, jobs=asked.jobs),
            )
    except FolderInUseError as error:
        note(f"error: {error}")
        return 75
    print(table(read()))
    if interrupt.signal:
        note(f"{signal.Signals(interrupt.signal).name}: the same command goes on")
        return 128 + interrupt.signal
    if time.monotonic() > deadline:
        note("the hours are over: the same command goes on")
    return 1 if failures else 0


if __name__ == "__main__":
    # Before NumPy is loaded, so that the kernel is that of the runs.
    choose_kernel(os.environ, read_cpuinfo())
    sys.exit(main())

"""Load test of the service, with its goals and figures: python -m benchmarks.service

Everything runs on 127.0.0.1: the service is one process, the clients another, so both share the
cores. `--only rate,rows` measures these alone, `--short` takes a tenth of the time.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.contention import now, others_since
from chainrule.cli.console import note, print_json, print_table
from chainrule.core.blas import choose_kernel, read_cpuinfo


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; 1 if a goal was missed."""
    from benchmarks.service.fuzzing import schema
    from benchmarks.service.parts import PARTS, as_rows
    from benchmarks.service.servers import write_model

    assert __doc__
    parts = PARTS | {"schema": schema}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--only", default=",".join(parts), help="parts, with commas between")
    parser.add_argument("--short", action="store_true", help="a tenth of the time")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args(arguments)
    chosen = asked.only.split(",")
    if unknown := [name for name in chosen if name not in parts]:
        parser.error(f"no part {unknown[0]!r}: choose among {', '.join(parts)}")
    started, goals = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(Path(folder))
        for name in chosen:
            note(f"{name} ...")
            before = now()
            found = parts[name](model, asked.short)
            others = others_since(before)
            goals += [replace(goal, others=others) for goal in found]
    seconds = time.perf_counter() - started
    if asked.json:
        print_json({"goals": [vars(goal) for goal in goals], "seconds": round(seconds)})
    else:
        headers = ("what", "goal", "figure", "kept", "cores others took")
        print_table("The service under load", headers, as_rows(goals))
        print(f"{seconds:.0f} s")
    return 0 if all(goal.kept for goal in goals) else 1


if __name__ == "__main__":
    # Before NumPy is loaded, so that the kernel is the service's own.
    choose_kernel(os.environ, read_cpuinfo())
    sys.exit(main())

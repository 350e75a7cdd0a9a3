"""A command in a process of its own, held up where the test wants it; its children; its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
PATIENCE = 60.0
"""Seconds after which a test has failed."""
BEGUN = "begun"
"""Line of the command on stderr when it is held up."""


def command(
    *arguments: object, before: str = "", folder: Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Begins `chainrule ARGUMENTS` in the folder, after the code `before`."""
    code = f"import sys\n{before}\nfrom chainrule.cli import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=os.environ | {"PYTHONPATH": str(SOURCE)} | (environment or {}),
    )  # fmt: skip


def held_up(module: str, name: str) -> str:
    """Code after which a function says that it has begun, and takes for ever."""
    return (
        f"import time, {module}\n"
        "def hold(*_, **__):\n"
        f"    print({BEGUN!r}, file=sys.stderr, flush=True)\n"
        "    time.sleep(600)\n"
        f"{module}.{name} = hold\n"
    )


def wait_until(true: Callable[[], object], what: str) -> None:
    """Waits until it is true; after PATIENCE the test fails."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.02)


def children(process: int) -> list[int]:
    """Processes that this one has started, and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        if int(parent) == process and state != "Z":
            found.append(int(status.parent.name))
    return found


def runs(process: int) -> bool:
    """True while the process runs."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"

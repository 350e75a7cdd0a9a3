"""Code run in a process of its own: without the checks of shapes that the tests switch on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "src"


def answer(code: str, **environment: str) -> Any:
    """What the code prints as JSON; a warning is an error, only these variables are set."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(SOURCE), **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

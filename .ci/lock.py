"""Prints the lock that CI installs from: each package, its version, the SHA-256 of its file.

    python .ci/lock.py > .ci/requirements.txt

Run it with CI's own Python: a lock is for one version of Python and one kind of machine. pip says
what it would install into an empty environment; nothing is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WANTED = (".[test,parquet]", "torch==2.13.0", "numba>=0.61", "hatchling>=1.24", "editables>=0.5")
"""The library and its tests, the oracles, and what builds the library itself."""
HEAD = """\
# Made by: python .ci/lock.py > .ci/requirements.txt
# For: Python 3.11 on Linux, x86-64. torch is the CPU build: without it, see torch's own site.
# Use: pip install --require-hashes -r .ci/requirements.txt
#      pip install --no-build-isolation --no-deps --editable .
"""


def resolved() -> list[dict[str, Any]]:
    """What pip would install, an entry a package, ours left out."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--quiet", "--disable-pip-version-check", "--report", "-", *WANTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"pip failed: {done.stderr.strip()}")
    entries: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return [entry for entry in entries if "archive_info" in entry["download_info"]]


def locked(entry: dict[str, Any]) -> str:
    """One package as a line of requirements."""
    metadata = entry["metadata"]
    name, digest = metadata["name"].lower(), entry["download_info"]["archive_info"]["hashes"]
    return (
        f"{name.replace('_', '-')}=={metadata['version']} \\\n    --hash=sha256:{digest['sha256']}"
    )


if __name__ == "__main__":
    print(HEAD + "\n".join(sorted(map(locked, resolved()))))

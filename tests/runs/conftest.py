"""A committee of three on a few images, made once; or what would be trained for one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.runs import train_members as recruiting
from chainrule.runs.processes import Ending, Task

OPTIONS = ("--recipe", "sprint", "--seeds", "0..2")
RUNS = ["c-seed-0", "c-seed-1", "c-seed-2"]


def report(run: str) -> dict:
    return json.loads(Path(f"runs/{run}/report.json").read_text())


@pytest.fixture(scope="session")
def made(few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """(the folder `runs` of a committee of three, what the command printed)."""
    folder = tmp_path_factory.mktemp("made")
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "committee", "c", *OPTIONS, "--data", str(few),
         "--jobs", "2", "--json"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "0 of 3 members are finished" in done.stderr
    assert "c-seed-2: epoch 4/4" in done.stderr
    return folder / "runs", json.loads(done.stdout)


@pytest.fixture
def three(chainrule, made) -> dict:
    """A copy of that in the folder where the test's commands run; what was printed."""
    shutil.copytree(made[0], "runs")
    return made[1]


@pytest.fixture
def tasks(monkeypatch) -> list[Task]:
    """What the command would train; nothing is trained."""
    recorded: list[Task] = []

    def record(tasks, *, jobs, stop, say) -> dict[str, Ending]:
        recorded.extend(tasks)
        return {}

    monkeypatch.setattr(recruiting, "run_all", record)
    return recorded

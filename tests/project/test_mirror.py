"""tests/ mirrors src/chainrule: a folder for each room, beside them only helpers and project."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE = {"helpers", "project"}


def rooms() -> set[str]:
    """The packages directly under src/chainrule."""
    return {path.parent.name for path in (ROOT / "src" / "chainrule").glob("*/__init__.py")}


def test_every_room_has_its_folder_of_tests_and_there_is_no_other() -> None:
    folders = {
        path.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/**/test_*.py")
    }
    assert len(rooms()) > 10
    assert folders - BESIDE == rooms()


def test_no_test_lies_outside_a_folder() -> None:
    assert list(ROOT.glob("tests/test_*.py")) == []


def test_make_without_a_target_lists_every_command_in_a_line() -> None:
    done = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True)
    told = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("make ")}
    assert {"train", "test", "quick", "format", "stress", "help"} <= told

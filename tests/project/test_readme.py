"""What the README says is so: its Python runs, its commands exist, its line counts are true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = sorted(set(re.findall(r"(?:^|`|\$ )chainrule ([a-z]+[^`\n]*)", README, re.MULTILINE)))
LENGTHS = re.findall(r"`(src/[\w/]+\.py)` \((\d+) lines\)", README)


def test_the_python_of_the_readme_runs_and_learns(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(PYTHON) == 2
    assert all(len(block.strip().splitlines()) <= 12 for block in PYTHON)
    names: dict[str, object] = {}
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), names)
    classifier = names["classifier"]
    assert isinstance(classifier, cr.NetworkClassifier)
    assert classifier.score(names["X"], names["y"]) > 0.95
    network = names["network"]
    assert isinstance(network, cr.Network)
    mnist = names["mnist"]
    assert isinstance(mnist, cr.Dataset)
    assert cr.evaluate(network, mnist.test)[1] > 0.96
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_readme_exists_with_its_options(command: str) -> None:
    name, *words = command.split()
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", name, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout


@pytest.mark.parametrize(("path", "lines"), LENGTHS)
def test_the_files_to_read_are_as_long_as_the_readme_says(path: str, lines: str) -> None:
    assert len((ROOT / path).read_text().splitlines()) == int(lines)


def test_the_readme_has_commands_and_files_to_read() -> None:
    assert len(COMMANDS) >= 6
    assert len(LENGTHS) >= 3
    for link in re.findall(r"(?:\]\(|src=\")((?!http)[^)#\"]+)", README):
        assert (ROOT / link).exists(), f"README links to {link}"

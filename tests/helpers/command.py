"""A small real data set as a file, a command run in the test's own process, one trained run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from chainrule.cli import main
from chainrule.data.dataset import Dataset


class Result(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def chainrule(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Runs `chainrule ARGUMENTS` in an empty folder; (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        return Result(_exit_code(monkeypatch, *arguments), *capsys.readouterr())

    return run


def _exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["chainrule", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture(scope="session")
def few(mnist: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 700 training images of MNIST as a CSV file, label first, no header."""
    images, labels = (part[:700] for part in mnist.train)
    rows = np.column_stack([labels, np.rint(images * 255)]).astype(int)
    path = tmp_path_factory.mktemp("few") / "few.csv"
    np.savetxt(path, rows, fmt="%d", delimiter=",")
    return path


@pytest.fixture(scope="session")
def trained(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `runs` of two epochs on the few images, a run named `mine`."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        options = ("--run", "mine", "--epochs", 2, "--batch-size", 50, "--quiet")
        assert _exit_code(monkeypatch, "train", "--data", few, *options) == 0
    return folder / "runs"


@pytest.fixture
def mine(chainrule: Command, trained: Path) -> Path:
    """A copy of the run `mine`, in the folder where the test's commands run."""
    shutil.copytree(trained, "runs")
    return Path("runs/mine")

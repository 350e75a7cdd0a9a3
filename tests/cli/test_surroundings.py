"""Commands where the environment, the names and the limits are not those of the developers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from chainrule.core import parent
from chainrule.core.blas import limit_threads, startable
from helpers.signals import SOURCE

NO_TEXT = os.fsdecode(b"b\xffd")
SMALL = ("--layers", "784,20,10", "--epochs", 1, "--no-pictures")


def outcome(
    *arguments: object, optimize: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What the command prints in a process of its own, with these variables besides."""
    command = [sys.executable, "-P", *["-O"] * optimize, "-c",
               "from chainrule.cli import main; main()", *map(str, arguments)]  # fmt: skip
    return subprocess.run(
        command, capture_output=True, text=True, errors="surrogateescape", check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | environment,
    )  # fmt: skip


def test_no_picture_needs_the_backend_that_the_environment_names(mine) -> None:
    done = outcome("evaluate", "mine", "--pictures", "drawn", "-q", MPLBACKEND="nonsense")
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("drawn/mistakes.png").is_file()


@pytest.mark.parametrize("named", ["svg", "nonsense", None])
def test_whoever_imports_matplotlib_later_gets_the_backend_that_they_named(named) -> None:
    code = "import os, chainrule.plots.style, matplotlib as m; print(m.rcParams._get('backend'))"
    asked = {"MPLBACKEND": named} if named else {}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | asked,
    )  # fmt: skip
    assert (done.stdout.strip() == "svg") == (named == "svg")


def test_help_tells_as_much_where_python_drops_the_docstrings() -> None:
    plain, bare = (outcome("predict", "--help", optimize=number).stdout for number in (0, 2))
    assert "Read the digits on pictures" in plain
    assert bare == plain
    assert "Measure a network on the test images" in outcome("--help", optimize=2).stdout


def test_names_that_are_no_text_are_shown_and_drawn_or_refused_before_the_work(
    mine, few, monkeypatch
) -> None:
    shutil.copytree(mine, f"runs/{NO_TEXT}")
    shutil.copy(few, f"{NO_TEXT}.csv")
    picture = Image.new("L", (28, 28))
    picture.paste(255, (13, 5, 16, 23))
    picture.save(f"{NO_TEXT}.png")
    done = outcome("predict", NO_TEXT, f"{NO_TEXT}.png", "--show", f"{NO_TEXT}-seen.png")
    assert done.returncode == 0, done.stderr
    assert Path(f"{NO_TEXT}-seen.png").is_file()
    done = outcome("train", "--data", f"{NO_TEXT}.csv", *SMALL)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert r"b\udcffd.csv': not UTF-8" in done.stderr
    done = outcome("committee", "c", "--members", NO_TEXT, "--json")
    assert done.returncode == 2
    assert "not UTF-8" in json.loads(done.stdout)["error"]
    assert not Path("runs/c").exists()


def test_nothing_in_the_current_folder_is_imported(mine, few) -> None:
    for name in ("random", "numpy", "matplotlib", "json", "signal", "pip", "chainrule", "typing",
                 "sitecustomize", "usercustomize", "numba", "tempfile"):  # fmt: skip
        Path(f"{name}.py").write_text(f"open('owned-{name}', 'w'); raise SystemExit(99)")
    for command in (
        ("evaluate", "mine", "--pictures", "drawn", "-q"),
        ("committee", "c", "--data", few, "--recipe", "sprint", "--seeds", "0", "-q"),
    ):
        done = outcome(*command)
        assert done.returncode == 0, done.stderr
    assert not list(Path().glob("owned-*"))


def threads_at_most(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """From now on the system gives this process so many threads more."""
    plain = threading.Thread.start
    started: list[object] = []

    def start(self) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(self)
        plain(self)

    monkeypatch.setattr(threading.Thread, "start", start)


def test_openblas_starts_no_more_threads_than_there_may_be(monkeypatch) -> None:
    threads_at_most(monkeypatch, 4)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    environment: dict[str, str] = {}
    limit_threads(environment)
    assert environment == {"OPENBLAS_NUM_THREADS": "2"}
    environment = {"OMP_NUM_THREADS": "7"}
    limit_threads(environment)
    assert environment == {"OMP_NUM_THREADS": "7"}


def test_where_there_are_threads_openblas_is_left_alone() -> None:
    environment: dict[str, str] = {}
    limit_threads(environment)
    assert environment == {}
    assert startable(5) == 5


def test_no_more_threads_are_one_sentence(chainrule, few, monkeypatch) -> None:
    threads_at_most(monkeypatch, 0)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    done = chainrule("train", "--data", few, *SMALL, "--watch", "--no-open", "--port", 0)
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        "error: the system gives this process no more threads; raise its limit (ulimit -u)"
    )


def test_no_more_processes_are_one_sentence(chainrule, few, monkeypatch) -> None:
    def refused(*_arguments, **_options) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(parent, "Popen", refused)
    done = chainrule("committee", "c", "--data", few, "--recipe", "sprint", "--seeds", "0")
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        "error: chainrule train: Resource temporarily unavailable: the system lets this user "
        "start no more processes"
    )

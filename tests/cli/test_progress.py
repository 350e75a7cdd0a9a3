"""Training shows itself as a bar on a terminal, as lines elsewhere, and ends on Ctrl-C."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.cli.progress import shown
from chainrule.nn.model_file import load_model
from chainrule.training.train import Epoch


def epochs(count: int) -> list[Epoch]:
    return [
        Epoch(k, 10 * k, 1 / k, 1 / k, None, 0.9 + k / 1e4, 0.1, 0.5) for k in range(1, count + 1)
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_gets_a_bar_with_loss_accuracy_and_time_left(
    no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", no_color)
    assert list(shown(iter(epochs(3)), 3, quiet=False)) == epochs(3)
    text = terminal.getvalue()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "epoch 3/3" in plain
    assert "loss 0.3333  validation 90.03 %" in plain
    assert "left" in plain
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", text)) == (not no_color)


@pytest.mark.parametrize(("count", "lines"), [(3, 3), (1000, 51)])
def test_anything_else_gets_about_fifty_plain_lines_at_most(
    count: int, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(shown(iter(epochs(count)), count, quiet=False)) == epochs(count)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    assert told[0].startswith("epoch 1/")
    assert told[-1].startswith(f"epoch {count}/{count}  loss ")
    assert "\x1b" not in "".join(told)


def test_quiet_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(shown(iter(epochs(3)), 3, quiet=True)) == epochs(3)
    assert capsys.readouterr().err == ""


def test_ctrl_c_in_a_process_of_its_own_exits_with_130_and_leaves_a_model(
    few: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "chainrule", "train", "--data", str(few), "--run", "long"]
    with subprocess.Popen(
        [*command, "--epochs", "1000000"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        line = ""
        while not line.startswith("epoch 1/"):
            line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 130
    assert "the weights so far are in runs/long" in rest
    assert "Traceback" not in rest
    assert load_model(tmp_path / "runs/long/model.safetensors").summary["epochs"] >= 1

"""`python -m benchmarks.accuracy`: its options, its ends by signal or clock, its wrong uses."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.pages import page
from benchmarks.accuracy.rows import read
from chainrule.runs.processes import Ending, Task


def test_the_command_runs_forgets_and_writes(trainer, capsys) -> None:
    assert main(["--only", "fast", "--seeds", "0,1"]) == 0
    assert "| `fast` | ≤ 1.70 % in ≤ 5 s | 0.405 ± 0.007 (2) |" in capsys.readouterr().out
    trainer.asked.clear()
    assert main(["--only", "fast", "--seeds", "0..1", "--again"]) == 0
    assert [arguments[0] for arguments in trainer.asked] == ["train", "evaluate", "train"]
    assert main(["--write"]) == 0
    assert "written: docs/records.md" in capsys.readouterr().err
    assert Path("docs/records.md").read_text() == page(read())
    assert main(["--write"]) == 0
    assert "nothing, all is as it should be" in capsys.readouterr().err


def test_the_hours_end_it_and_a_failure_is_an_exit_code(trainer, capsys) -> None:
    assert main(["--only", "fast", "--hours", "0"]) == 0
    assert trainer.asked == []
    assert "the hours are over" in capsys.readouterr().err
    trainer.fail["records-fast-0"] = Ending(1, "", "error: no")
    assert main(["--only", "fast", "--seeds", "0"]) == 1


def test_a_signal_ends_it_with_its_code(trainer, capsys) -> None:
    def signalled(task: Task) -> Ending:
        os.kill(os.getpid(), signal.SIGTERM)
        return Ending(143, "", "interrupted")

    trainer.train = signalled
    assert main(["--only", "fast"]) == 143
    assert len(trainer.asked) == 1
    assert "SIGTERM: the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "slow"], "no recipe 'slow': choose among fast, plain"),
        (["--seeds", "x"], "seeds x: give different whole numbers"),
        (["--hours", "soon"], "invalid float value"),
        (["--jobs", "0"], "invalid positive value: '0'"),
    ],
)
def test_a_wrong_option_is_one_sentence(trainer, capsys, arguments, words) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_elsewhere_than_in_the_repository_it_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([])
    assert "in the folder of the repository" in capsys.readouterr().err


def test_only_one_of_it_runs_at_a_time(trainer, capsys) -> None:
    from filelock import FileLock

    Path("runs").mkdir()
    with FileLock("runs/.lock"):
        assert main(["--only", "fast"]) == 75
    assert "another process is writing here" in capsys.readouterr().err
    assert trainer.asked == []

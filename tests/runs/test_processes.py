"""Our own commands as processes: so many at a time, heard, and never left behind."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from chainrule.runs.processes import Ending, Task, run_all
from helpers.signals import children, command, runs, wait_until


def quick(name: str) -> Task:
    return Task(name, ("--version",))


def test_processes_run_so_many_at_a_time_and_each_tells_how_it_ended(monkeypatch) -> None:
    from chainrule.runs import processes as children

    alive, most = set(), []

    class Watched(children.Child):
        def __init__(self, task, say) -> None:
            super().__init__(task, say)
            alive.add(task.name)
            most.append(len(alive))

        def ending(self) -> Ending:
            alive.discard(self.task.name)
            return super().ending()

    monkeypatch.setattr(children, "Child", Watched)
    names = ["a", "b", "c"]
    endings = run_all([quick(n) for n in names], jobs=2, stop=lambda: False, say=pytest.fail)
    assert sorted(endings) == names
    assert max(most) == 2
    for ending in endings.values():
        assert (ending.code, ending.complaint) == (0, "")
        assert ending.out.startswith("chainrule ")


def test_a_failure_is_heard_and_nothing_is_begun_after_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A file of this name in the user's folder is not the module.
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    said: list[str] = []
    failing = Task("bad", ("data", "none.csv"))
    endings = run_all([failing, quick("never")], jobs=1, stop=lambda: False, say=said.append)
    assert endings.keys() == {"bad"}
    assert endings["bad"].code == 1
    assert endings["bad"].complaint.startswith("error: none.csv does not exist")
    assert said == [f"bad: {endings['bad'].complaint}"]


def test_whoever_is_left_by_an_exception_leaves_no_process_behind(
    few, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()

    def hear(line: str) -> None:
        heard_lines.append(line)

    def stop() -> bool:
        if any("epoch 1/" in line for line in heard_lines):
            raise KeyboardInterrupt
        assert time.monotonic() - started < 60
        return False

    heard_lines: list[str] = []
    endless = ("--layers", "784,20,10", "--epochs", "500", "--run", "endless")
    with pytest.raises(KeyboardInterrupt):
        run_all([Task("x", ("train", "--data", str(few), *endless))], jobs=1, stop=stop, say=hear)
    report = json.loads((tmp_path / "runs/endless/report.json").read_text())
    assert report["ending"] == "interrupted"
    holder = (tmp_path / "runs/endless/.writer").read_text().split()[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(holder), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_whoever_is_killed_leaves_no_process_behind_and_its_run_saved(few, tmp_path) -> None:
    endless = ("--layers", "784,20,10", "--epochs", "5000", "--run", "endless")
    code = f"""
import sys
from chainrule.runs.processes import Task, run_all
task = Task("x", ("train", "--data", {str(few)!r}, *{endless}))
say = lambda line: print(line, file=sys.stderr, flush=True)
run_all([task], jobs=1, stop=lambda: False, say=say)
"""
    parent = command(before=code, folder=tmp_path)
    assert parent.stderr
    assert any("epoch 1/" in line for line in parent.stderr)
    (child,) = children(parent.pid)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not runs(child), "the child has ended")
    report = json.loads((tmp_path / "runs/endless/report.json").read_text())
    assert report["ending"] == "interrupted"

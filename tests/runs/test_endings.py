"""Endings of a run: hang-ups, and what happens while its pictures are drawn."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path

import pytest

from chainrule.nn.model_file import load_model
from chainrule.runs import pictures
from chainrule.runs.interrupt import interruptible
from chainrule.runs.processes import Task, run_all
from helpers.runs import PLAIN, SMALL, killed_at, step_of

needs_hang_ups = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no hang-ups here")


@needs_hang_ups
def test_a_hang_up_saves_and_a_second_one_kills_nothing(chainrule, few, monkeypatch) -> None:
    killed_at(monkeypatch, 3, signal.SIGHUP)
    done = chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "ended")
    assert done.code == 128 + signal.SIGHUP
    assert step_of("ended") == 3
    with interruptible() as interrupt:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert interrupt.signal == signal.SIGHUP


@needs_hang_ups
def test_an_ignored_hang_up_stays_ignored(chainrule, few, monkeypatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        killed_at(monkeypatch, 3, signal.SIGHUP)
        done = chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "whole")
        assert done.code == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def at_the_second_picture(monkeypatch: pytest.MonkeyPatch, happens) -> None:
    """From now on this happens when the second picture of a run is drawn."""
    from chainrule.plots import style

    plain_save, drawn = style.save, list[Path]()

    def save(figure, path) -> None:
        drawn.append(path)
        if len(drawn) == 2:
            happens()
        plain_save(figure, path)

    monkeypatch.setattr(style, "save", save)


def results(run: str) -> dict:
    """The report of a run whose model can be read."""
    folder = Path("runs") / run
    assert load_model(folder / "model.safetensors").summary["epochs"] == 3
    return json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_pictures_are_drawn_ends_with_its_code_and_the_results(
    chainrule, few, monkeypatch, number
) -> None:
    with monkeypatch.context() as patch:
        at_the_second_picture(patch, lambda: os.kill(os.getpid(), number))
        done = chainrule("train", "--data", few, *SMALL, "--run", "a", "-q")
    assert done.code == 128 + number
    assert results("a")["ending"] == "finished"
    assert len(list(Path("runs/a").glob("*.png"))) == 2
    assert "for the pictures: chainrule train --resume a" in done.err
    assert chainrule("train", "--resume", "a", "-q").code == 0
    assert len(list(Path("runs/a").glob("*.png"))) == len(pictures.PICTURES)


def test_a_disk_that_is_full_of_pictures_has_the_results(chainrule, few, monkeypatch) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    at_the_second_picture(monkeypatch, full)
    done = chainrule("train", "--data", few, *SMALL, "--run", "a", "-q")
    assert done.code == 74
    assert "runs/a: a picture (the model and the figures are there) could not be saved" in done.err
    assert results("a")["ending"] == "finished"


def test_a_run_whose_settings_cannot_be_written_leaves_its_name_free(
    chainrule, few, monkeypatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("chainrule.runs.files.write_config", full)
        done = chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "a", "-q")
    assert done.code == 74
    assert "runs/a: its settings could not be saved (No space left" in done.err
    assert chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "a", "-q").code == 0


def test_a_process_is_heard_to_its_end_though_no_one_listens(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    heard: list[str] = []

    def gone(line: str) -> None:
        heard.append(line)
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    endings = run_all(
        [Task("bad", ("train", "--no-such-option"))], jobs=1, stop=lambda: False, say=gone
    )
    assert endings["bad"].code == 2
    assert len(heard) > 1

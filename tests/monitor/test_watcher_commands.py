"""Pausing, going on, another learning rate, stopping: what it does, and what is written of it."""

from __future__ import annotations

import json
import os
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chainrule.monitor import watcher as watching
from chainrule.monitor.control import Command
from chainrule.nn.model_file import load_model
from chainrule.runs.folder import contents
from monitor.conftest import TRAIN, events, weights

HALVE = Command("rate", 0.5)


def test_a_rate_changed_by_hand_acts_from_its_step_on_and_is_written_down(
    chainrule, few, view
) -> None:
    view((0, HALVE))
    options = (*TRAIN, "--data", few, "--learning-rate", 0.008)
    done = chainrule(*options, "--run", "halved", "--watch")
    assert done.code == 0, done.err
    chainrule(*options[:-1], 0.004, "--run", "lower")
    assert weights("halved").tobytes() == weights("lower").tobytes()
    (change,) = events("halved", "by_hand")
    assert change["step"] == 0
    assert change["text"].startswith("learning rate x 0.5, from 0.00032 to 0.00016")
    report = json.loads(Path("runs/halved/report.json").read_text())
    assert report["by_hand"] == [{"step": 0, "text": change["text"], "factor": 0.5}]
    assert load_model("runs/halved/model.safetensors").summary["changes_by_hand"] == 1
    settings = tomllib.loads(Path("runs/halved/config.toml").read_text())["settings"]
    assert settings["learning_rate"] == 0.008


def test_later_changes_are_told_with_their_steps_and_shown_in_the_history(
    chainrule, few, view
) -> None:
    view((7, HALVE), (9, Command("rate", rate=1e-5)))
    done = chainrule(
        *TRAIN[:-1], "--data", few, "--run", "twice", "--watch", "--schedule", "constant"
    )
    assert done.code == 0, done.err
    first, second = json.loads(Path("runs/twice/report.json").read_text())["by_hand"]
    assert 0 < first["step"] < second["step"] < 30
    assert f"step {first['step']}: learning rate x 0.5" in done.err
    assert "changes by hand: 2" in done.err
    rates = [json.loads(x) for x in Path("runs/twice/history.jsonl").read_text().splitlines()]
    assert rates[-1]["learning_rate"] == pytest.approx(1e-5)


def test_pause_waits_until_it_may_go_on_and_changes_no_bit(chainrule, few, view) -> None:
    plain = chainrule(*TRAIN, "--data", few, "--run", "plain")
    made = view((5, Command("pause")))
    waited: list[int] = []

    def look_away() -> None:
        waited.append(len(waited))
        if len(waited) == 3:
            made.commands.put(Command("resume"))

    made.commands.when_waiting = look_away
    done = chainrule(*TRAIN, "--data", few, "--run", "rested", "--watch", "--json")
    assert len(waited) == 3
    assert (plain.code, done.code) == (0, 0)
    assert weights("plain").tobytes() == weights("rested").tobytes()
    assert [event["action"] for event in events("rested", "by_hand")] == ["pause", "resume"]
    assert "by_hand" not in json.loads(Path("runs/rested/report.json").read_text())


def test_a_pause_is_no_time_of_training(chainrule, few, view, monkeypatch) -> None:
    made = view((2, Command("pause")))
    real = watching.perf_counter
    offset = 0.0

    def clock() -> float:
        return real() + offset

    def rest() -> None:
        nonlocal offset
        offset += 1000
        made.commands.put(Command("resume"))

    made.commands.when_waiting = rest
    monkeypatch.setattr(watching, "perf_counter", clock)
    monkeypatch.setattr("chainrule.training.train.perf_counter", clock)
    done = chainrule(*TRAIN, "--data", few, "--run", "rested", "--watch", "--json")
    assert offset == 1000
    assert json.loads(done.out)["train_seconds"] < 100
    assert events("rested", "observation")[-1]["seconds"] < 100


def test_stop_ends_after_a_step_with_everything_saved_and_resume_goes_on_to_the_same_bits(
    chainrule, few, view
) -> None:
    chainrule(*TRAIN, "--data", few, "--run", "whole")
    view((15, Command("stop")))
    done = chainrule(*TRAIN, "--pictures", "--data", few, "--run", "cut", "--watch")
    assert done.code == 0
    assert "stopped after" in done.err
    assert "chainrule train --resume cut" in done.err
    report = json.loads(Path("runs/cut/report.json").read_text())
    assert report["ending"] == "stopped"
    assert report["epochs"] < 3
    assert {"confusion.png", "model.safetensors"} <= set(contents(Path("runs/cut")))
    assert events("cut", "end")[0]["ending"] == "stopped"
    early = [event["step"] for event in events("cut", "observation")]
    view()
    assert chainrule("train", "--resume", "cut", "--quiet", "--watch").code == 0
    assert weights("cut").tobytes() == weights("whole").tobytes()
    seen = [event["step"] for event in events("cut", "observation")]
    assert seen[: len(early)] == early
    assert seen[-1] == 30
    assert len(events("cut", "begin")) == len(events("cut", "end")) == 1
    indices = [event["index"] for event in events("cut", "image")]
    assert len(indices) == len(set(indices))


def test_resume_keeps_a_rate_changed_by_hand_with_and_without_watch(chainrule, few, view) -> None:
    view((4, HALVE))
    chainrule(*TRAIN, "--data", few, "--run", "whole", "--watch")
    view((4, HALVE), (15, Command("stop")))
    chainrule(*TRAIN, "--data", few, "--run", "cut", "--watch")
    assert events("cut", "by_hand")[0]["step"] == events("whole", "by_hand")[0]["step"]
    assert (
        chainrule("train", "--resume", "cut", "--no-pictures", "--quiet", "--require-exact").code
        == 0
    )
    assert weights("cut").tobytes() == weights("whole").tobytes()
    report = json.loads(Path("runs/cut/report.json").read_text())
    assert len(report["by_hand"]) == 1


def test_a_change_after_the_last_checkpoint_is_undone_and_no_longer_told(
    chainrule, few, view
) -> None:
    view((15, Command("stop")))
    chainrule(*TRAIN, "--data", few, "--run", "cut", "--watch")
    path = Path("runs/cut/by_hand.jsonl")
    path.write_text('{"kind": "by_hand", "step": 99, "text": "never saved", "factor": 0.5}\n')
    assert chainrule("train", "--resume", "cut", "--no-pictures", "--quiet").code == 0
    assert path.read_text() == ""
    assert "by_hand" not in json.loads(Path("runs/cut/report.json").read_text())
    path.write_text("nonsense\n")
    done = chainrule("train", "--resume", "cut")
    assert done.code == 2
    assert "by_hand.jsonl, line 1: no JSON" in done.err


def test_a_rate_that_does_not_change_is_refused_in_words(chainrule, few, view) -> None:
    view((0, Command("rate", 1e-12)))
    chainrule(*TRAIN, "--data", few, "--run", "refused", "--watch")
    (refused,) = events("refused", "refused")
    assert "choose one from 1e-12 to 1e+12" in refused["text"]
    assert "by_hand" not in json.loads(Path("runs/refused/report.json").read_text())


def test_a_change_that_cannot_be_written_down_is_not_made(
    chainrule, few, view, monkeypatch
) -> None:
    chainrule(*TRAIN, "--data", few, "--run", "plain")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(watching, "write_by_hand", fail)
    view((5, HALVE))
    assert chainrule(*TRAIN, "--data", few, "--run", "full", "--watch").code == 0
    assert "could not be written down: no space left" in events("full", "refused")[0]["text"]
    np.testing.assert_allclose(weights("full"), weights("plain"), rtol=1e-4, atol=1e-6)


def test_ctrl_c_is_heard_while_paused(chainrule, few, view) -> None:
    made = view((3, Command("pause")))
    made.commands.when_waiting = lambda: os.kill(os.getpid(), signal.SIGINT)
    done = chainrule(*TRAIN, "--data", few, "--run", "half", "--watch")
    assert done.code == 130
    assert "interrupted after" in done.err
    assert json.loads(Path("runs/half/report.json").read_text())["ending"] == "interrupted"

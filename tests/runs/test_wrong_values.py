"""Wrong values in the files of a run: one sentence, or left out and said, at every command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainrule.monitor import event_values
from chainrule.monitor.events import read_events
from chainrule.runs.files import read_report
from chainrule.runs.replay import replay_of
from chainrule.runs.values import FIGURES, believed, read_config

FIGURES_WRONG: dict[str, Any] = {
    "accuracy above 1": {"test_accuracy": 7},
    "accuracy of nan": {"test_accuracy": float("nan")},
    "accuracy in words": {"test_accuracy": "0.99"},
    "accuracy of yes": {"test_accuracy": True},
    "an error below 0": {"test_error": -0.5},
    "an infinite error": {"test_error": float("inf")},
    "errors below 0": {"errors": -1},
    "half an error": {"errors": 1.5},
    "more errors than images": {"errors": 10**6},
    "a number of 4,000 digits": {"errors": 10**4000},
    "errors in a list": {"errors": [1]},
    "images of nothing": {"test_images": None},
    "fewer images than were measured": {"test_images": 3},
    "a seed in words": {"seed": "zero"},
    "a seed of null": {"seed": None},
    "epochs of nan": {"epochs": float("nan")},
    "epochs below 0": {"epochs": -3},
    "negative time": {"train_seconds": -1.0},
    "endless time": {"train_seconds": float("inf")},
    "time in a table": {"train_seconds": {"s": 1}},
    "a recipe that is a list": {"recipe": ["fast"]},
    "a recipe of a million letters": {"recipe": "a" * 10**6},
    "an ending that is a number": {"ending": 1},
    "an ending that commands": {"ending": "\x1b[2J"},
    "a warning that is a list": {"warning": [1, 2]},
    "an interval upside down": {"interval": [0.9, 0.1]},
    "an interval of three": {"interval": [0, 0.5, 1]},
    "a confusion that is no square": {"confusion": [[1, 2]]},
    "a confusion of words": {"confusion": [["a"]]},
    "a confusion of others": {"confusion": [[1, 0], [0, 1]]},
    "a confusion below 0": {"confusion": [[-1]]},
    "parameters of nan": {"parameters": float("nan")},
    "changes that are texts": {"by_hand": ["faster"]},
}
TABLES_WRONG = {
    "run is a text": ('[run]\nrecipe = "fast"\nformat = 1\n', 'run = "fast"\n'),
    "run is a list": ('[run]\nrecipe = "fast"\nformat = 1\n', "[[run]]\nrecipe = 1\n"),
    "a recipe that is a number": ('recipe = "fast"', "recipe = 3"),
    "a recipe that is a date": ('recipe = "fast"', "recipe = 1979-05-27"),
    "a format that is a text": ("\nformat = 1\n", '\nformat = "one"\n'),
    "a source that is a number": ("\nsource = ", "\nsource = 5 #"),
    "a source that is a list": ("\nsource = ", "\nsource = [1] #"),
    "a test part that is true": ("\nsource = ", "\ntest = true\nsource = "),
    "classes that are a text": ("\nclasses = ", '\nclasses = "ab" #'),
    "classes that are numbers": ("\nclasses = ", "\nclasses = [0, 1] #"),
    "classes that are lists": ("\nclasses = ", "\nclasses = [[]] #"),
    "checksums that are numbers": ("\ntrain_images = ", "\ntrain_images = 7 #"),
    "checksums that are tables": ("\ntrain_images = ", "\ntrain_images = {a = 1} #"),
    "an environment that is nan": ("\nchainrule = ", "\nchainrule = nan #"),
    "an environment that is a date": ("\nnumpy = ", "\nnumpy = 1979-05-27T07:32:00Z #"),
    "layers that are words": ("\nlayers = ", '\nlayers = ["a"] #'),
    "layers below 1": ("\nlayers = ", "\nlayers = [784, -1, 10] #"),
    "epochs that are nan": ("\nepochs = ", "\nepochs = nan #"),
    "a rate that is infinite": ("\nlearning_rate = ", "\nlearning_rate = inf #"),
    "validation below 0": ("\nvalidation = ", "\nvalidation = -5 #"),
    "a split that does not exist": ("\nsplit = ", '\nsplit = "half" #'),
    "a seed that is a table": ("\nseed = ", "\nseed = {a = 1} #"),
    "members of a committee that are numbers": ("[data]", "[committee]\nmembers = [1]\n[data]"),
}
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("evaluate", "mine"), ("compare", "mine", "other"), ("predict", "mine", "--index", "0"),
    ("report", "mine"), ("export", "mine", "page.html"),
    ("committee", "two", "--members", "mine,other"),
    ("train", "--resume", "mine", "--no-pictures"), ("train", "--config", "runs/mine/config.toml"),
)  # fmt: skip


def contents(folder: Path) -> dict[Path, bytes]:
    names = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in names if path.name not in (".lock", ".writer")}


@pytest.fixture
def two(chainrule, mine: Path) -> Path:
    shutil.copytree(mine, "runs/other")
    return mine


@pytest.mark.parametrize("what", FIGURES_WRONG)
def test_a_wrong_figure_is_said_and_left_out_of_the_page_and_never_of_a_committee(
    chainrule, two: Path, what: str
) -> None:
    path = two / "report.json"
    report = json.loads(path.read_text()) | FIGURES_WRONG[what]
    if what == "a number of 4,000 digits":
        path.write_text(json.dumps(report | {"errors": "X"}).replace('"X"', "1" * 4000))
    else:
        path.write_text(json.dumps(report))
    said: list[str] = []
    page = replay_of(two, say=said.append)
    assert said
    assert all(line.startswith(f"left out: {path}: ") and len(line) < 400 for line in said)
    json.dumps(page, allow_nan=False)
    (name,) = FIGURES_WRONG[what]
    assert name not in page["report"]
    good, _ = believed(read_report(two))
    assert not any(isinstance(value, float) and value != value for value in good.values())
    needed = {"recipe", "seed", "errors", "test_error", "train_seconds", "epochs", "ending"}
    if needed - set(good):
        done = chainrule("committee", "two", "--members", "mine,other")
        assert done.code in (1, 2)
        assert f"error: {path}: " in done.err
        assert "Traceback" not in done.err
        assert not Path("runs/two").exists()


@pytest.mark.parametrize("what", TABLES_WRONG)
def test_a_wrong_table_is_one_sentence_at_every_command_and_nothing_is_written(
    chainrule, two: Path, what: str
) -> None:
    path = two / "config.toml"
    old, new = TABLES_WRONG[what]
    text = path.read_text()
    assert text.count(old) == 1
    text = text.replace(old, new)
    if new.startswith("run ="):
        text = new + text.replace(new, "")
    path.write_text(text)
    before = contents(Path("runs"))
    for command in COMMANDS:
        done = chainrule(*command)
        assert done.code in (1, 2), (command, done.err)
        (line,) = [one for one in done.err.splitlines() if one.startswith("error: ")]
        assert f"{path}" in line
        assert len(line) < 500
        assert "Traceback" not in done.err
        assert contents(Path("runs")) == before, command


def test_a_report_that_cannot_be_read_is_said(chainrule, mine: Path) -> None:
    (mine / "report.json").write_text("[]")
    done = chainrule("report", "mine")
    assert done.code == 0
    assert "left out, all figures: runs/mine/report.json: not a report" in done.err
    (mine / "report.json").unlink()
    (mine / "report.json").mkdir()
    done = chainrule("report", "mine")
    assert "left out, all figures: runs/mine/report.json: not a file but a folder" in done.err
    (mine / "report.json").rmdir()
    assert "left out" not in chainrule("report", "mine").err


def test_what_training_writes_is_believed_whole(mine: Path) -> None:
    report = read_report(mine)
    good, said = believed(report)
    assert said == []
    assert good == report
    assert set(report) <= set(FIGURES)
    assert read_config(mine / "config.toml")["run"]["format"] == 1


BEGIN = {
    "kind": "begin", "run": "mine", "classes": ["a", "b"], "shape": [2, 2], "widths": [4, 2],
    "looked_at": [10, 0], "epochs": 1,
}  # fmt: skip
OBSERVATION = {
    "kind": "observation", "step": 1, "epoch": 0.1, "learning_rate": 0.1, "training": [1.0, 0.5],
    "validation": None, "layers": [[0.1, None, 0.0]], "mistakes": [[0, 1, 0, 0.9]],
}  # fmt: skip
WEIGHTS = {"kind": "weights", "units": 1, "scale": 0.5, "pictures": "AAAA"}
STORIES_WRONG: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "a million units": lambda: [BEGIN, WEIGHTS | {"units": 10**6}],
    "pictures that are no base64": lambda: [BEGIN, WEIGHTS | {"pictures": "<>"}],
    "a shape of nothing": lambda: [BEGIN | {"shape": [0, 2]}],
    "widths that are a text": lambda: [BEGIN | {"widths": "4"}],
    "classes that are a table": lambda: [BEGIN | {"classes": {"0": "a"}}],
    "a loss that is a text": lambda: [BEGIN, OBSERVATION | {"training": ["low", 1]}],
    "layers that are numbers": lambda: [BEGIN, OBSERVATION | {"layers": [1]}],
    "mistakes of three": lambda: [BEGIN, OBSERVATION | {"mistakes": [[1, 2, 3]]}],
    "an epoch below 0": lambda: [BEGIN, OBSERVATION | {"epoch": -1}],
    "an epoch of null": lambda: [BEGIN, OBSERVATION | {"epoch": None}],
    "a step that is a text": lambda: [BEGIN, OBSERVATION | {"step": "1"}],
    "an observation without a beginning": lambda: [OBSERVATION],
    "weights without a shape": lambda: [{"kind": "begin", "run": "a"}, WEIGHTS],
    "an observation of nothing": lambda: [BEGIN, {"kind": "observation"}],
    "an end without an ending": lambda: [BEGIN, {"kind": "end", "text": ""}],
    "a change that is a table": lambda: [BEGIN, {"kind": "by_hand", "step": 1, "text": {}}],
    "an epoch with a rate below 0": lambda: [
        BEGIN, {"kind": "epoch", "epoch": 1, "loss": 1.0, "validation_loss": None,
                "learning_rate": -1.0, "seconds": 1.0},
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", STORIES_WRONG)
def test_a_wrong_event_never_reaches_the_page(chainrule, mine: Path, what: str) -> None:
    path = mine / "watch.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in STORIES_WRONG[what]()))
    done = chainrule("report", "mine")
    assert done.code == 2
    assert f"error: {path}, line " in done.err
    assert "remove the file" in done.err
    assert done.err.count("\n") == 1
    assert len(done.err) < 400
    assert not (mine / "report.html").exists()


def test_a_right_story_is_told(mine: Path) -> None:
    path, story = mine / "watch.jsonl", [BEGIN, OBSERVATION, WEIGHTS, {"kind": "new", "x": {}}]
    path.write_text("".join(json.dumps(event) + "\n" for event in story))
    assert replay_of(mine)["events"] == read_events(path) == story
    assert set(event_values.BEGUN) < set(event_values.KINDS)

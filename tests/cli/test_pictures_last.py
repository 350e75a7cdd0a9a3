"""Pictures come last: each command's result is written and printed before its first figure."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chainrule.articles import ARTICLES
from chainrule.articles.claims import Claim
from chainrule.core.tables import Table
from chainrule.runs.folder import contents
from helpers.command import Command
from helpers.runs import SMALL

COMMANDS = {
    "train": ("right", "a.png"),
    "train --find-lr --batch-size 50": ("to train with it", "its curve"),
    "evaluate mine --pictures drawn": ("top-3 accuracy", "a picture"),
    "predict mine --index 3 --show seen.png": ("test image 3", "the picture"),
    "reproduce relu-45": ("To break it on purpose", "its curve"),
}
"""Command -> what its result says, and what the error calls the figure."""


def arguments(command: str, few: Path) -> tuple[object, ...]:
    """Words of the command, with data where it takes any."""
    words = (*command.split(), "-q")
    if command == "train":
        return (*words, "--data", few, *SMALL, "--run", "a")
    return words if "mine" in command else (*words, "--data", few)


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_permission() -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def ended() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def at_the_first(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], list[str]]:
    """at_the_first(happens): from now on this happens where a figure is drawn, and is noted."""

    def arrange(happens: Callable[[], None]) -> list[str]:
        seen: list[str] = []

        def save(figure: object, path: Path) -> None:
            del figure
            seen.append(Path(path).name)
            happens()

        monkeypatch.setattr("chainrule.plots.style.save", save)
        monkeypatch.setattr("chainrule.plots.distortions.save", save)
        monkeypatch.setattr("chainrule.runs.reproduction.save_figure", save)
        return seen

    return arrange


@pytest.fixture
def articles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two articles that claim one thing each."""

    def claims(*_: object) -> Iterator[Claim]:
        yield Claim("it learns", "1", "1", "exact")

    names = ("relu-45", "tanh-16-16")
    short = {name: replace(ARTICLES[name], claims=claims) for name in names}
    monkeypatch.setattr("chainrule.articles.ARTICLES", Table("article", short))


@pytest.mark.parametrize("happens", [full, no_permission, ended])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_figure_that_fails_costs_no_result(
    chainrule: Command, few: Path, mine: Path, articles: None, at_the_first, command: str, happens
) -> None:
    seen = at_the_first(happens)
    done = chainrule(*arguments(command, few))
    said, _ = COMMANDS[command]
    assert len(seen) == 1
    assert said in done.out
    assert done.code == (128 + signal.SIGTERM if happens is ended else 74), done.err
    assert "Traceback" not in done.err
    if happens is not ended:
        assert "could not be saved" in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_one_object_of_json_is_the_result_not_the_failure_of_a_figure(
    chainrule: Command, few: Path, mine: Path, articles: None, at_the_first, command: str
) -> None:
    at_the_first(full)
    done = chainrule(*arguments(command, few), "--json")
    assert done.code == 74
    told = json.loads(done.out)
    assert "error" not in told
    assert told


def test_the_results_are_on_the_disk_before_the_first_figure(
    chainrule: Command, few: Path, at_the_first
) -> None:
    """A kill at that moment leaves them."""
    there: dict[str, set[str]] = {}
    runs = {"a": "train", "fast-rates-1": "train --find-lr --batch-size 50"}
    for folder, command in ((Path("runs", run), command) for run, command in runs.items()):
        at_the_first(lambda folder=folder: there.update({folder.name: set(contents(folder))}))
        assert chainrule(*arguments(command, few)).code == 0
    assert {"model.safetensors", "report.json", "history.jsonl"} <= there["a"]
    assert {"config.toml", "report.json"} <= there["fast-rates-1"]


def test_a_sheet_that_cannot_be_written_has_its_own_code(
    chainrule: Command, few: Path, at_the_first
) -> None:
    at_the_first(full)
    done = chainrule("distort", "--data", few, "-q", "--json")
    assert done.code == 74
    assert "samples.png: the picture could not be saved" in json.loads(done.out)["error"]


def test_of_all_articles_each_is_told_though_the_curve_of_one_fails(
    chainrule: Command, few: Path, articles: None, at_the_first
) -> None:
    at_the_first(full)
    done = chainrule("reproduce", "all", "--quick", "--json", "-q", "--data", few)
    assert done.code == 74
    assert [one["recipe"] for one in json.loads(done.out)["recipes"]] == ["relu-45", "tanh-16-16"]
    assert done.err.count("its curve") == 1

"""What a command will write is tried, and what no data can make right is said, before any work."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from chainrule.core import jit, places
from chainrule.runs import evaluation, origin
from chainrule.service import live_view, local

NAMES = ("runs", "runs/taken", "folder.png", "folder.html", "drawn", "drawn/mistakes.png")


@pytest.fixture
def no_work(monkeypatch, mine) -> None:
    """From now on it fails a test to read data or a network, or to open a browser or a port."""

    def forbidden(*_arguments, **_names) -> None:
        raise AssertionError("work was begun")

    for module, name in (
        (origin, "load"),
        (evaluation, "read_run"),
        (live_view, "service_packages"),
        (local, "names_of"),
    ):
        monkeypatch.setattr(module, name, forbidden)
    for name in NAMES:
        Path(name).mkdir(exist_ok=True)
    Path("file").write_text("")
    Path("runs/taken/config.toml").write_text("")


def unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no folder can be written to."""

    def refuse(*, dir) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))

    monkeypatch.setattr(places, "TemporaryFile", refuse)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("train --run taken", "run 'taken' is taken"),
        ("train --run a/b", "run name 'a/b'"),
        ("train --run taken --watch", "run 'taken' is taken"),
        ("train --find-lr --run taken", "run 'taken' is taken"),
        ("train --no-shuffle --dropout 0.5", "shuffle = false"),
        ("train --find-lr --no-shuffle --dropout 0.5", "shuffle = false"),
        ("committee taken", "'taken' is taken"),
        ("committee more --recipe fats", "unknown recipe 'fats'"),
        ("evaluate mine --pictures file", "--pictures file: a file has this name"),
        ("evaluate mine --pictures gone/below", "--pictures gone/below: there is no folder gone"),
        ("evaluate mine --pictures drawn", "--pictures drawn/mistakes.png: a folder has this name"),
        ("predict mine --index 1 --show seen.jpg", "--show seen.jpg: give it a name ending in"),
        ("predict mine --index 1 --show gone/a.png", "--show gone/a.png: there is no folder gone"),
        ("predict mine --index 1 --show folder.png", "--show folder.png: a folder has this name"),
        ("distort --output folder.png", "--output folder.png: a folder has this name"),
        ("export mine folder.html", "folder.html: a folder has this name"),
        ("report mine folder.html", "folder.html: a folder has this name"),
        ("serve gone --token short", "--token: a token of 5 characters"),
        ("serve gone --host 0.0.0.0", "--host 0.0.0.0: others can reach it"),
    ],
)
def test_what_cannot_end_well_is_not_begun(chainrule, no_work, arguments, words) -> None:
    done = chainrule(*arguments.split())
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert words in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        "train",
        "train --watch",
        "train --find-lr",
        "committee new --recipe sprint",
        "reproduce relu-45 --quick",
        "evaluate mine --pictures new",
        "predict mine --index 1 --show seen.png",
        "distort",
        "export mine page.html",
        "report mine page.html",
        "report mine",
    ],
)
def test_a_place_that_cannot_be_written_to_is_found_first(
    chainrule, no_work, monkeypatch, arguments
) -> None:
    unwritable(monkeypatch)
    done = chainrule(*arguments.split())
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "cannot be written to (Read-only file system); give another place" in done.err


def test_a_missing_compiler_is_found_before_the_data(chainrule, no_work, monkeypatch) -> None:
    monkeypatch.setattr("chainrule.experiments.job.available", lambda: False)
    done = chainrule("train", "--compiled", "--recipe", "sprint")
    assert (done.code, done.err) == (2, f"error: compiled = true: {jit.MISSING}\n")


def test_members_whose_names_are_taken_are_found_before_any_is_trained(chainrule, no_work) -> None:
    Path("runs/c-seed-1").mkdir()
    Path("runs/c-seed-1/notes.txt").write_text("mine")
    done = chainrule("committee", "c", "--recipe", "sprint", "--seeds", "0,1")
    assert done.code == 2
    assert "run 'c-seed-1' is taken" in done.err


def test_nothing_is_left_of_the_trial(tmp_path: Path) -> None:
    places.check_folder(tmp_path / "new")
    places.check_file(tmp_path / "new.png", ".png")
    assert not list(tmp_path.iterdir())

"""A run folder of a stranger: no name in it leads a command to another file."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest
from filelock import FileLock

from chainrule.core.errors import DataError, OddFileError
from chainrule.core.files import read_own
from chainrule.experiments.settings import read_toml
from chainrule.runs.lock import only_writer

SIDE_FILES = (
    ".lock", ".writer", "by_hand.jsonl", "config.toml", "curves.png", "history.jsonl",
    "model.safetensors", "report.html", "report.json", "watch.jsonl", "checkpoints",
    "checkpoints/step-000000002.safetensors",
)  # fmt: skip
PRIVATE = b"\x89PNG\r\n\x1a\nprivate"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A file of the user's, outside the run."""
    path = tmp_path / "private"
    path.write_bytes(PRIVATE)
    return path


def gone(path: Path) -> None:
    if path.is_dir():
        path.rename(path.with_name("moved"))
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", SIDE_FILES)
@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_no_side_file_leads_elsewhere(chainrule, mine, private, make, name) -> None:
    path = mine / name
    gone(path)
    path.parent.mkdir(exist_ok=True)
    make(private, path)
    for command in ("train --resume mine -q --no-pictures", "report mine -q", "evaluate mine -q"):
        done = chainrule(*command.split())
        assert "Traceback" not in done.err
        assert private.read_bytes() == PRIVATE
    page = mine / "report.html"
    if make is os.symlink and page.exists():
        assert b64encode(PRIVATE) not in page.read_bytes()


@pytest.mark.parametrize("name", [".lock", ".writer", "curves.png", "checkpoints", "x"])
def test_a_link_in_a_run_folder_is_named_before_anything_is_written(mine, private, name) -> None:
    gone(mine / name)
    (mine / name).symlink_to(private)
    before = sorted(path.name for path in mine.iterdir())
    with pytest.raises(DataError, match="it is a link; remove it"), only_writer(mine):
        pass
    assert sorted(path.name for path in mine.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("name", [*SIDE_FILES, "odd.png"])
def test_a_pipe_in_a_run_folder_holds_no_command(chainrule, mine, name) -> None:
    gone(mine / name)
    (mine / name).parent.mkdir(exist_ok=True)
    os.mkfifo(mine / name)
    with pytest.raises(DataError, match="neither a file nor a folder"), only_writer(mine):
        pass
    for command in ("train --resume mine -q --no-pictures", "report mine -q", "compare mine mine"):
        done = chainrule(*command.split())
        assert "Traceback" not in done.err


def test_a_folder_that_is_a_link_itself_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    with only_writer(tmp_path / "run"):
        assert (tmp_path / "disk/.writer").is_file()


def odd(folder: Path, kind: str) -> Path:
    """A name under which there is no ordinary file of ours of at most 5 bytes."""
    path = folder / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "long":
        path.write_bytes(b"123456")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("follow_links", [True, False])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("folder", "not a file but a folder"), ("pipe", "not an ordinary file"),
        ("long", "larger than 5 bytes"), ("device", "not an ordinary file|it is a link"),
    ],
)  # fmt: skip
def test_only_an_ordinary_file_of_the_allowed_size_is_read(
    tmp_path: Path, kind: str, said: str, follow_links: bool
) -> None:
    with pytest.raises(OddFileError, match=said):
        read_own(odd(tmp_path, kind), 5, follow_links=follow_links)
    with pytest.raises(FileNotFoundError):
        read_own(tmp_path / "none", 5, follow_links=follow_links)


def test_a_link_is_followed_where_the_user_gave_the_name_only(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"12345")
    link.symlink_to(path)
    assert read_own(path, 5, follow_links=False) == b"12345"
    assert read_own(link, 5, follow_links=True) == b"12345"
    with pytest.raises(OddFileError, match="it is a link"):
        read_own(link, 5, follow_links=False)


def test_a_settings_file_may_be_a_link_that_of_a_run_may_not(chainrule, mine, tmp_path) -> None:
    config = mine / "config.toml"
    config.rename(tmp_path / "settings.toml")
    (tmp_path / "linked.toml").symlink_to("settings.toml")
    assert read_toml(tmp_path / "linked.toml")["epochs"] == 2
    config.symlink_to(tmp_path / "settings.toml")
    for command in ("report mine", "evaluate mine", "train --resume mine"):
        done = chainrule(*command.split())
        assert done.code in (1, 2), command
        assert "config.toml: it is a link" in done.err, command


def test_a_lock_that_is_exchanged_while_it_is_taken_is_seen(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = FileLock.acquire

    def exchanged(self: FileLock, *given: object, **named: object) -> object:
        taken = take(self, *given, **named)
        Path(self.lock_file).unlink()
        os.link(private, self.lock_file)
        return taken

    folder = tmp_path / "run"
    folder.mkdir()
    with monkeypatch.context() as during:
        during.setattr(FileLock, "acquire", exchanged)
        with pytest.raises(DataError, match="it has a second name"), only_writer(folder):
            raise AssertionError("it was written to")
    assert private.read_bytes() == PRIVATE
    (folder / ".lock").unlink()
    with only_writer(folder):
        pass

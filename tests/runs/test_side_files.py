"""A run folder of a stranger: no name in it leads a command to another file."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest

from chainrule.core.errors import DataError
from chainrule.core.files import read_plain
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


def test_only_an_ordinary_file_of_the_allowed_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_plain(path, 5) == b"12345"
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_plain(path, 4)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="it is a link"):
        read_plain(link, 5)

"""A file is there whole or not at all, and a failed write changes nothing."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from chainrule.core import files
from chainrule.core.files import set_aside, write_atomically


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


STRANGE: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo, "socket": make_socket, "folder": Path.mkdir,
}  # fmt: skip


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_get_their_name_only_when_they_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    original = os.fsync

    def watch(descriptor: int) -> None:
        original(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append(((tmp_path / "file").exists(), is_folder))

    monkeypatch.setattr(os, "fsync", watch)
    write_atomically(tmp_path / "file", b"whole")
    assert seen == [(False, False), (True, True)]
    assert (tmp_path / "file").read_bytes() == b"whole"


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("what", STRANGE)
def test_what_is_no_file_is_never_replaced(tmp_path: Path, what: str, linked: bool) -> None:
    STRANGE[what](tmp_path / "there")
    path = tmp_path / "there"
    if linked:
        path = tmp_path / "link"
        path.symlink_to(tmp_path / "there")
    before = {each: os.lstat(each).st_ino for each in tmp_path.iterdir()}
    with pytest.raises(OSError, match="has this name") as refusal:
        write_atomically(path, b"new")
    assert refusal.value.filename == str(path)
    assert {each: os.lstat(each).st_ino for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK])
def test_a_device_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    """The device is an ordinary file that the system calls one."""

    class Disk:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def stat(self, _path: Path) -> SimpleNamespace:
            return SimpleNamespace(st_mode=kind | 0o666)

    device = tmp_path / "null"
    device.write_bytes(b"everyone's")
    monkeypatch.setattr(files, "os", Disk())
    with pytest.raises(OSError, match="a pipe, a device or a socket has"):
        write_atomically(device, b"new")
    assert device.read_bytes() == b"everyone's"
    assert list(tmp_path.iterdir()) == [device]


@pytest.mark.parametrize("letter", ["x", "\u00e4", "\U0001f600"])
def test_a_name_as_long_as_the_disk_takes_is_written_and_one_character_more_named(
    tmp_path: Path, letter: str
) -> None:
    most = os.pathconf(tmp_path, "PC_NAME_MAX")
    many = most // len(letter.encode())
    path = tmp_path / (letter * many + "x" * (most - many * len(letter.encode())))
    assert write_atomically(path, b"new").read_bytes() == b"new"
    longer = path.with_name(path.name + "x")
    with pytest.raises(OSError, match="File name too long") as refusal:
        write_atomically(longer, b"new")
    assert refusal.value.filename == str(longer)
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="too long") as refusal:
        set_aside(path)
    assert path.read_bytes() == b"new"


def test_a_rename_that_fails_is_named_by_the_path_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def refused(source: Path, _target: Path) -> None:
        real(source, tmp_path / "missing" / "file")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(FileNotFoundError) as refusal:
        write_atomically(tmp_path / "file", b"new")
    assert refusal.value.filename == str(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []

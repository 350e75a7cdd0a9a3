"""A file is there whole or not at all, and a failed write changes nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from chainrule.core.files import write_atomically


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

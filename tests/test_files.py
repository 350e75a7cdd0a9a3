"""A file is there whole or not at all, and a failed write changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainrule.files import write_atomically


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
    seen: list[tuple[bool, int]] = []
    original = os.fsync

    def watch(descriptor: int) -> None:
        original(descriptor)
        seen.append(((tmp_path / "file").exists(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", watch)
    write_atomically(tmp_path / "file", b"whole")
    assert seen == [(False, 5)]
    assert (tmp_path / "file").read_bytes() == b"whole"

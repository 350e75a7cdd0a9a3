"""Temporary files: each writer makes its own, and only what a writer left behind is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainrule.core import files
from chainrule.core.files import remove_temporaries, write_atomically


def test_what_lies_under_the_temporary_name_is_never_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.secrets, "token_hex", lambda _bytes: "0123abcd")
    somewhere = tmp_path / "somewhere"
    somewhere.write_bytes(b"of somebody else")
    (tmp_path / f".file.{os.getpid()}.0123abcd.part").symlink_to(somewhere)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"new")
    assert somewhere.read_bytes() == b"of somebody else"
    assert not (tmp_path / "file").exists()


def test_of_the_hidden_files_only_those_of_killed_writers_are_removed(tmp_path: Path) -> None:
    left = tmp_path / ".model.safetensors.12.0123abcd.part"
    others = [".lock", ".writer", ".model.12.0123abcd.part.kept", "model.12.0123abcd.part"]
    for name in (left.name, *others):
        (tmp_path / name).write_bytes(b"")
    assert remove_temporaries(tmp_path) == [left]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    assert remove_temporaries(tmp_path) == []

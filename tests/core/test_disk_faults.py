"""Every file operation of a save fails in turn: it is said, and nothing that was saved is lost."""

from __future__ import annotations

import errno
import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.core import files
from chainrule.core.files import TEMPORARY, remove_temporaries
from chainrule.training.checkpoint import latest, read_checkpoint, write_checkpoint
from helpers.disk import FailingDisk, installed
from training.test_checkpoint import checkpoint

ERRORS = ("ENOSPC", "EIO", "EACCES", "EROFS", "EDQUOT", "EINTR", "short write")


def operations(monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
    """How many operations the fifth save, which also removes an old one, takes."""
    for step in range(1, 5):
        write_checkpoint(folder, checkpoint(step))
    disk = installed(monkeypatch, FailingDisk())
    write_checkpoint(folder, checkpoint(5))
    monkeypatch.setattr(files, "os", os)
    return int(disk.calls)


def test_a_save_takes_the_operations_that_are_made_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert operations(monkeypatch, tmp_path / "run") >= 8


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize("error", ERRORS)
def test_a_failed_operation_is_told_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str, for_ever: bool
) -> None:
    total = operations(monkeypatch, tmp_path / "first")
    number = getattr(errno, error, 0)
    for fails_at in range(1, total + 1):
        folder = tmp_path / f"run-{fails_at}"
        for step in range(1, 5):
            write_checkpoint(folder, checkpoint(step))
        disk = installed(monkeypatch, FailingDisk(fails_at, number, for_ever))
        told = None
        try:
            write_checkpoint(folder, checkpoint(5))
        except OSError as failure:
            told = failure.errno
        monkeypatch.setattr(files, "os", os)
        if number:
            assert told == number, disk.failed
        elif not for_ever:
            assert told is None, "the rest is written in another go"
        found = latest(folder, report=pytest.fail)
        assert found
        assert found.progress.step in ({4, 5} if told else {5})
        for step in range(3, 5):
            read_checkpoint(folder / f"step-{step:09d}.safetensors")
        if not for_ever:
            assert not [path for path in folder.iterdir() if TEMPORARY.fullmatch(path.name)]
        remove_temporaries(folder)
        write_checkpoint(folder, checkpoint(6))
        found = latest(folder, report=pytest.fail)
        assert found
        assert found.progress.step == 6


def test_bytes_that_come_back_changed_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, checkpoint(1))

    def changed(path: Path, mode: str) -> io.BytesIO:
        return io.BytesIO(Path(path).read_bytes()[:-1] + b"?")

    monkeypatch.setattr(files, "open", changed, raising=False)
    with pytest.raises(OSError, match="returned other bytes"):
        write_checkpoint(tmp_path, checkpoint(2))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.safetensors"]


SAVE = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from chainrule.core.files import write_atomically
if sys.argv[2] == "limit":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    write_atomically(Path(sys.argv[1]) / "file", bytes(3 << 20))
except OSError as error:
    print(error.errno, sorted(path.name for path in Path(sys.argv[1]).iterdir()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_a_file_that_outgrows_the_processs_limit_is_an_error_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    assert resource.RLIMIT_FSIZE
    done = subprocess.run(
        [sys.executable, "-c", SAVE, str(tmp_path), "limit"], capture_output=True, text=True
    )
    assert done.stdout == f"{errno.EFBIG} ['file']\n", done.stderr
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_disk_that_is_really_full_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True
    ).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        (disk / "file").write_bytes(b"old")
        done = subprocess.run(
            [sys.executable, "-c", SAVE, str(disk), "full"], capture_output=True, text=True
        )
        assert done.stdout == f"{errno.ENOSPC} ['file']\n", done.stderr
        assert (disk / "file").read_bytes() == b"old"
    finally:
        subprocess.run(["umount", disk], check=True)

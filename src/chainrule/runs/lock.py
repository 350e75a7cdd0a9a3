"""Run lock: one writer per folder; a second fails at once and names the holder."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chainrule.core.errors import DataError, FolderInUseError, SaveError
from chainrule.core.files import check_ordinary, is_file, read_own, write_atomically

LONGEST_NAME = 1024
"""Bytes of the holder's name."""
SUBFOLDERS = ("", "checkpoints")
"""Of a run folder: those that are written to."""
SUFFIXES = (".html", ".json", ".jsonl", ".png", ".safetensors", ".toml")
"""Of the files in them."""


@contextmanager
def only_writer(folder: Path, *, new: bool = False) -> Iterator[None]:
    """Lock against other writers of the folder; the system releases it when this process dies.

    Raises FolderInUseError, naming the holder; DataError where a name in the folder is a link or
    another thing that is no file, as the folder may come from a stranger; SaveError where the
    folder cannot be written: one that was just made, `new`, is then removed, its name free again.
    """
    from filelock import FileLock, Timeout  # 28 ms, which other commands need not pay

    holder, lock = folder / ".writer", FileLock(folder / ".lock", timeout=0)
    _check(folder)
    try:
        lock.acquire()
    except Timeout:
        raise FolderInUseError(
            f"{folder}: {_named(holder)} is writing here; wait for it, or choose another --run name"
        ) from None
    except OSError as error:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise SaveError(f"{folder} cannot be written: {error.strerror or error}") from None
    try:
        # Whoever may write here too has had time to put another file in its place.
        _check(folder)
        with suppress(OSError):  # a full disk is for whoever saves something to report
            write_atomically(holder, f"process {os.getpid()} on {platform.node()}".encode())
        yield
    finally:
        lock.release()


def _check(folder: Path) -> None:
    """Raises DataError for a name in the folder that leads elsewhere."""
    try:
        for name in SUBFOLDERS:
            if (folder / name).is_dir():
                check_ordinary(folder / name)
                for path in (folder / name).iterdir():
                    if path.suffix in SUFFIXES:
                        is_file(path)
        lock = folder.joinpath(".lock")
        if lock.exists() and lock.stat().st_nlink > 1:
            # Taking the lock may empty the file, under its other names too.
            raise OSError(0, "it has a second name; remove it", str(lock))
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}") from None


def _named(holder: Path) -> str:
    try:
        return read_own(holder, LONGEST_NAME, follow_links=False).decode(errors="replace")
    except OSError:
        return "another process"

"""Run lock: one writer per folder; a second fails at once and names the holder."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.core.errors import FolderInUseError


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Lock against other writers of the folder; the system releases it when this process dies.

    Raises FolderInUseError, naming the holder.
    """
    from filelock import FileLock, Timeout  # 28 ms, which other commands need not pay

    holder = folder / ".writer"
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.is_file() else "another process"
        raise FolderInUseError(
            f"{folder}: {who} is writing here; wait for it, or choose another --run name"
        ) from None
    try:
        holder.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        lock.release()

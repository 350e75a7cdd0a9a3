"""The lock of a run folder: one writer; a second ends at once and says who holds it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.core.errors import FolderInUseError


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keeps other writers out of the folder; the system lets go of it when this process dies.

    Raises FolderInUseError, naming the holder.
    """
    from filelock import FileLock, Timeout  # 28 ms that the other commands need not wait

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

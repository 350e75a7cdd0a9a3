"""Atomic file writes: readers see the old file or the new one, even after a power cut.

Renaming alone is not enough: a file system may write the new name to the disk before the content,
or keep the old name for a while (Pillai et al., OSDI 2014). So the content is flushed before the
rename, and the folder, which holds the names, after it.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

TEMPORARY = re.compile(r"\..+\.[0-9]+\.[0-9a-f]{8}\.part")
"""Names of files still being written."""


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Writes a file all or nothing: at every moment `path` is the old file or the complete new one.

    The content goes to a temporary file in the same folder, which is flushed to the disk, read
    back, then renamed. Raises OSError if writing fails, after removing the temporary file. Once
    this returns, the file survives a power cut.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        descriptor = _create(temporary)
    except OSError as error:
        if not path.parent.is_dir():
            raise OSError(
                errno.ENOENT, "there is no such folder; make it first", str(path.parent)
            ) from None
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        _write(descriptor, content, path)
        if temporary.read_bytes() != content:
            raise OSError(errno.EIO, "the disk returned other bytes than were written", str(path))
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # report the first error, not this one
            remove(temporary)
        raise
    sync_folder(path.parent)
    return path


def read_ordinary(path: Path, largest: int, *, links: bool = True) -> bytes:
    """The content of an ordinary file of at most `largest` bytes.

    Raises ValueError, naming the rule, for a pipe, a device, a folder (reading some of these never
    ends), a longer file, or a link unless `links`; OSError where it cannot be read.
    """
    if path.is_symlink() and not links:
        raise ValueError(f"{path}: a link to another file; put the file itself there")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: not a file; give the path of one")
    if path.exists() and path.stat().st_size > largest:
        raise ValueError(f"{path}: larger than {largest:,} bytes; no file of ours is")
    return path.read_bytes()


def make_folder(path: Path) -> Path:
    """Creates the folder unless it exists, so that it survives a power cut; returns it."""
    with suppress(FileExistsError):
        os.mkdir(path)
        sync_folder(path.parent)
    return path


def remove(path: Path) -> None:
    """Removes a file if it exists."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def set_aside(path: Path) -> Path:
    """Renames a damaged file to NAME.damaged, -2, ..., and flushes the folder; returns the path."""
    number, aside = 1, path.with_name(f"{path.name}.damaged")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    os.rename(path, aside)
    sync_folder(path.parent)
    return aside


def _create(path: Path) -> int:
    """The descriptor of a new file."""
    binary = getattr(os, "O_BINARY", 0)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)


def _write(descriptor: int, content: bytes, path: Path) -> None:
    """Writes the content, flushes it to the disk, and closes the file."""
    try:
        rest = memoryview(content)
        while rest:
            written = os.write(descriptor, rest)
            if not written:
                raise OSError(errno.EIO, "the disk takes no more bytes", str(path))
            rest = rest[written:]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flushes a folder's entries to the disk; does nothing on Windows, which has no way to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> list[Path]:
    """Removes what killed writers left in a folder and returns it; no writer may be running."""
    stale = [path for path in sorted(folder.iterdir()) if TEMPORARY.fullmatch(path.name)]
    for path in stale:
        remove(path)
    return stale

"""Writing a file so that nobody ever sees half of it, and a power cut never leaves half of it.

Renaming alone is not enough: a file system may put the new name on the disk before the content, or
keep the old name for a while (Pillai et al., OSDI 2014). So the content is flushed before the
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
"""The names of files that are still being written."""


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Writes a whole file or nothing: at every moment `path` is the old file or the whole new one.

    A temporary file in the same folder, flushed to the disk, read again, then renamed. Raises
    OSError as writing does; the temporary file is gone then. Once it returns, the file survives a
    power cut.
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
            raise OSError(errno.EIO, "the disk gives back other bytes than it was given", str(path))
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to hear of
            remove(temporary)
        raise
    sync_folder(path.parent)
    return path


def make_folder(path: Path) -> Path:
    """Makes the folder if it is not there, so that it survives a power cut; returns it."""
    with suppress(FileExistsError):
        os.mkdir(path)
        sync_folder(path.parent)
    return path


def remove(path: Path) -> None:
    """Removes a file, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def _create(path: Path) -> int:
    """A descriptor of a new file."""
    binary = getattr(os, "O_BINARY", 0)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, 0o666)


def _write(descriptor: int, content: bytes, path: Path) -> None:
    """Writes the content, which is on the disk when this returns, and closes the file."""
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
    """Puts the names in a folder on the disk; does nothing where a system has no way to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> list[Path]:
    """Removes what killed writers left in a folder, and says what; call it where none may live."""
    stale = [path for path in sorted(folder.iterdir()) if TEMPORARY.fullmatch(path.name)]
    for path in stale:
        remove(path)
    return stale

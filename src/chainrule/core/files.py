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
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from chainrule.core.errors import OddFileError

TEMPORARY = re.compile(r"\..+\.[0-9]+\.[0-9a-f]{8}\.part")
"""Names of files still being written."""
BLOCK = 1 << 20

Content: TypeAlias = bytes | memoryview
"""Bytes to write."""
NAMED = 50
"""Characters of a file's name in its temporary one: so many that it is never too long itself."""


@contextmanager
def naming_what_is_written(path: str | Path) -> Iterator[None]:
    """Context manager: whatever fails is an OSError that names the file.

    So what saves a file has to expect one kind of failure, and tries again or says it. Memory that
    runs out is ENOMEM.
    """
    try:
        yield
    except MemoryError as error:
        more = f": {error}" if str(error) else ""
        raise OSError(
            errno.ENOMEM, f"there is not enough memory to write it{more}", str(path)
        ) from None
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


@contextmanager
def naming_what_is_read(path: str | Path) -> Iterator[None]:
    """Context manager: a MemoryError names the file that was being read.

    It is no OSError: a file that cannot be read now is neither missing nor damaged.
    """
    try:
        yield
    except MemoryError as error:
        more = f": {error}" if str(error) else ""
        raise MemoryError(f"{path} cannot be read{more}") from None


def write_atomically(path: str | Path, *content: Content) -> Path:
    """Writes a file all or nothing: at every moment `path` is the old file or the complete new one.

    The content, in one piece or several, goes to a temporary file in the same folder, which is
    flushed to the disk, read back, then renamed. Raises OSError, naming `path`, if writing fails,
    for want of memory too, after removing the temporary file, and without writing anything where a
    folder, a pipe, a device or a socket has the name: none is ever replaced. Once this returns, the
    file survives a power cut.
    """
    with naming_what_is_written(path):
        return _write_atomically(Path(path), content)


def _write_atomically(path: Path, content: Sequence[Content]) -> Path:
    check_replaceable(path)
    temporary = path.with_name(f".{path.name[:NAMED]}.{os.getpid()}.{secrets.token_hex(4)}.part")
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
        if not _holds(temporary, content):
            raise OSError(errno.EIO, "the disk returned other bytes than were written", str(path))
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # report the first error, not this one
            remove(temporary)
        if isinstance(error, OSError) and error.filename == str(temporary):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    sync_folder(path.parent)
    return path


def check_replaceable(path: Path) -> None:
    """Raises OSError, naming the path, unless an ordinary file may be written there.

    That is: nothing has the name, or a file, or a link to one or to nothing. Whatever is renamed
    onto a pipe or a device, such as /dev/null, would take its place for everyone.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "a folder has this name; give the name of a file", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(
            errno.EINVAL,
            "a pipe, a device or a socket has this name and is not written to; give the name of a "
            "file",
            str(path),
        )


def read_own(path: Path, largest: int, *, follow_links: bool) -> bytes:
    """Content of a file of ours: an ordinary one of at most `largest` bytes.

    Links are followed where the user gave the name, and not where someone else may have, as in a
    run folder. Raises OddFileError for a link that is not followed, a longer file, and a pipe, a
    device or a folder (reading some of these never ends); OSError where it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    if not follow_links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
        if path.is_symlink():
            raise _odd(path, errno.ELOOP, "it is a link, which is not followed; remove it")
    if path.is_dir():
        raise _odd(path, errno.EISDIR, "not a file but a folder; give the path of a file")
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _odd(path, errno.EINVAL, "not an ordinary file; give the path of one")
        if status.st_size > largest:
            raise _odd(path, errno.EFBIG, f"larger than {largest:,} bytes; no file of ours is")
        return file.read(status.st_size)


def _odd(path: Path, number: int, what: str) -> OddFileError:
    return OddFileError(number, what, str(path))


def expanded(path: str | Path) -> Path:
    """The path with `~` and `~user` replaced by the home folder; OSError where none is known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise OSError(
            errno.ENOENT, "no home folder is known for the ~ in it; give the whole path", str(path)
        ) from None


def home() -> Path | None:
    """Home folder of the user; None where there is none, as in a container with any user id."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def check_ordinary(folder: Path) -> None:
    """Raises OSError, naming it, for an entry of the folder that is no ordinary file or folder.

    A link would have something else read or written in the folder's name.
    """
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
            what = "a link" if entry.is_symlink() else "neither a file nor a folder"
            raise OSError(errno.ELOOP, f"it is {what}; remove it", entry.path)


def is_file(path: Path) -> bool:
    """True for a file, or a link to one; False where nothing has the name.

    Raises OSError, naming the path, for a folder, a link to nothing, or anything else: what stands
    where a file of ours belongs is not taken for none.
    """
    if path.is_file():
        return True
    if not os.path.lexists(path):
        return False
    what = (
        "a folder" if path.is_dir() else "neither a file nor a folder" if path.exists()
        else "a link that leads nowhere"
    )  # fmt: skip
    raise OSError(errno.EINVAL, f"it is {what}, where a file belongs; move it away", str(path))


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


def _write(descriptor: int, content: Sequence[Content], path: Path) -> None:
    """Writes the content, flushes it to the disk, and closes the file."""
    try:
        for piece in content:
            rest = memoryview(piece)
            while rest:
                written = os.write(descriptor, rest)
                if not written:
                    raise OSError(errno.EIO, "the disk takes no more bytes", str(path))
                rest = rest[written:]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(path: Path, content: Sequence[Content]) -> bool:
    """Whether a file holds this content, compared block by block: a copy may not fit."""
    with open(path, "rb") as file:
        for piece in content:
            for start in range(0, len(piece), BLOCK):
                block = piece[start : start + BLOCK]
                if file.read(len(block)) != block:
                    return False
        return not file.read(1)


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

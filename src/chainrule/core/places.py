"""Places for output, tried before the work whose result goes there."""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import TemporaryFile

from chainrule.core.errors import ConfigError
from chainrule.core.files import check_replaceable


def check_file(path: Path, *endings: str, option: str = "") -> None:
    """Raises ConfigError unless a file of this name can be written.

    `endings`: those that its name may have; `option`: where the user named it.
    """
    try:
        if endings and path.suffix.lower() not in endings:
            raise ValueError(f"give it a name ending in {endings[0]}")
        check_replaceable(path)
        _try(path.parent)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{option} {path}: {_reason(error)}".lstrip()) from None


def check_folder(path: Path, *, option: str = "") -> None:
    """Raises ConfigError unless the folder can be written to, or made where there is none."""
    try:
        if path.exists() and not path.is_dir():
            raise OSError(errno.ENOTDIR, "a file has this name; give a folder")
        _try(path if path.is_dir() else path.parent)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{option} {path}: {_reason(error)}".lstrip()) from None


def _try(folder: Path) -> None:
    """Makes a file without a name in the folder; OSError if that fails.

    To ask for permissions would not do: the file system may be read-only, or full of files.
    """
    if not folder.is_dir():
        raise OSError(errno.ENOENT, f"there is no folder {folder}; make it first")
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = f"{folder} cannot be written to ({error.strerror}); give another place"
        raise OSError(error.errno, reason) from None


def _reason(error: Exception) -> str:
    # A path with a null byte is a ValueError, which has no strerror.
    return getattr(error, "strerror", None) or str(error)

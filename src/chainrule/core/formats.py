"""Format versions: what a later version of this program wrote is refused by name.

Such a file is whole, so it is neither damage nor to be written over.
"""

from __future__ import annotations

import re
from pathlib import Path

from chainrule.core.errors import NewerFormatError


def is_newer(said: str, known: tuple[str, ...]) -> bool:
    """True for `NAME-3` where `NAME-1` and `NAME-2` are known."""
    name, number = _divided(said)
    numbers = [one for other, one in map(_divided, known) if other == name]
    return bool(numbers) and number > max(numbers)


def newer(path: Path, said: object, known: tuple[object, ...]) -> NewerFormatError:
    """The refusal of a file of this format."""
    return NewerFormatError(
        f"{path}: its format is {str(said)[:80]!r}, of a later version of chainrule; this one "
        f"reads {', '.join(map(repr, known))}: use the later version"
    )


def refuse_newer(path: Path, said: object, known: int) -> None:
    """Raises NewerFormatError for a format's number above the known one; none at all is the first.

    For text files, which are checked in everything else by their readers.
    """
    if isinstance(said, int) and not isinstance(said, bool) and said > known:
        raise newer(path, said if said < 10**9 else "a very large number", (known,))


def _divided(format: str) -> tuple[str, int]:
    """Name and number of a format: `chainrule-run-1` is ("chainrule-run", 1)."""
    match = re.fullmatch(r"(.*)-([0-9]{1,9})", format)
    return (match[1], int(match[2])) if match else (format, 0)

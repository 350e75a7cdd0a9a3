"""Damage done to files, and what a reader makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chainrule.core.errors import ModelFileError


def believed_flips(path: Path, read: Callable[[Path], object]) -> list[int]:
    """Bits of a file whose flip `read` does not notice; the file is left as it was."""
    whole = path.read_bytes()
    believed = []
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            read(path)
        except ModelFileError:
            continue
        believed.append(bit)
    path.write_bytes(whole)
    return believed

"""Damage to checkpoints: what a disk, a copy or another program can make of a file."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save as foreign_tensors

from chainrule.core.tensor_file import read_sealed, write_sealed
from chainrule.training.checkpoint import FORMAT

LATER = "chainrule-run-2"


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit is another."""
    changed = bytearray(content)
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """The end is missing."""
    return content[: rng.integers(1, len(content))]


def emptied(content: bytes, rng: np.random.Generator) -> bytes:
    """Nothing is left, as after a power cut on some file systems."""
    del content, rng
    return b""


def zeroed(content: bytes, rng: np.random.Generator) -> bytes:
    """A part is zeros, as blocks that were never written."""
    start, end = sorted(rng.integers(0, len(content) + 1, 2))
    start = min(start, len(content) - 1)
    return content[:start] + bytes(max(end - start, 1)) + content[max(end, start + 1) :]


def foreign(content: bytes, rng: np.random.Generator) -> bytes:
    """Another program's file lies there: noise, text, a pickle, an npz, plain safetensors."""
    numbers = {"weight": rng.random(9)}
    archive = io.BytesIO()
    np.savez(archive, weight=numbers["weight"])
    files = (
        rng.bytes(len(content)), b"step 4\n" * 9, pickle.dumps(numbers), archive.getvalue(),
        foreign_tensors(numbers), foreign_tensors(numbers, {"format": "pt"}),
    )  # fmt: skip
    return files[rng.integers(len(files))]


KINDS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    flipped, cut, emptied, zeroed, foreign,
)  # fmt: skip


def damage(path: Path, rng: np.random.Generator) -> bytes:
    """Damages a file; returns what is in it now."""
    before = path.read_bytes()
    after = KINDS[rng.integers(len(KINDS))](before, rng)
    if after == before:  # zeros where there were zeros
        after = flipped(before, rng)
    path.write_bytes(after)
    return after


def of_later_format(path: Path) -> None:
    """Makes a checkpoint a whole one of the next format, which only later versions read."""
    tensors, words = read_sealed(path, format=FORMAT)
    write_sealed(path, tensors, words | {"format": LATER})

"""Checksummed tensor files: tensors and metadata in one safetensors file, read whole or refused.

The safetensors package checks the layout; it has no checksum and accepts nan. Here the metadata
hold a SHA-256 over the other metadata ("words") and over each tensor with its name, type and
shape. It detects damage. It is not a signature: anyone who writes a file can write its checksum.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from chainrule.core.arrays import Array
from chainrule.core.errors import DamagedFileError, ModelFileError, OddFileError
from chainrule.core.files import (
    Content,
    naming_what_is_read,
    naming_what_is_written,
    read_own,
    write_atomically,
)
from chainrule.core.formats import is_newer, newer
from chainrule.core.memory import reserve

LARGEST_FILE = 2 << 30
LARGEST_HEADER = 1 << 20
MOST_TENSORS = 4096
STRANGERS = {b"\x80": "a pickle", b"PK": "a zip archive", b"\x89HDF": "an HDF5 file"}
"""First bytes of other formats that models are saved in."""
TYPES = {
    np.dtype(name): kind
    for name, kind in (
        ("bool", "BOOL"), ("uint8", "U8"), ("int8", "I8"), ("int16", "I16"), ("uint16", "U16"),
        ("float16", "F16"), ("int32", "I32"), ("uint32", "U32"), ("float32", "F32"),
        ("float64", "F64"), ("int64", "I64"), ("uint64", "U64"),
    )
}  # fmt: skip
"""Types of tensors by their names in a file, in the package's order, from the last to the first."""

Tensors: TypeAlias = dict[str, Array]
Words: TypeAlias = dict[str, str]


def write_sealed(path: str | Path, tensors: Tensors, words: Words) -> Path:
    """Writes tensors and words atomically; the same content gives the same bytes.

    Raises OSError if writing fails, ModelFileError for a size that `read_sealed` would refuse.
    """
    with naming_what_is_written(path):
        check_size(path, tensors, words)
        sealed = words | {"sha256": _digest(tensors, words)}
        return write_atomically(path, *_pieces(path, tensors, sealed))


def check_size(path: str | Path, tensors: Tensors, words: Words) -> None:
    """Raises ModelFileError for tensors and words of a size that `read_sealed` would refuse."""
    size = sum(tensor.nbytes for tensor in tensors.values())
    header = {
        name: {"dtype": "F64", "shape": tensor.shape, "data_offsets": [size, size]}
        for name, tensor in tensors.items()
    }
    sealed = words | {"sha256": "0" * 64}
    length = len(json.dumps({"__metadata__": sealed} | header)) + 8
    if size + length > LARGEST_FILE:
        raise ModelFileError(
            f"{path}: {size + length:,} bytes, at most {LARGEST_FILE:,} are read; use fewer weights"
        )
    if length > LARGEST_HEADER or len(tensors) > MOST_TENSORS:
        raise ModelFileError(
            f"{path}: {len(tensors):,} tensors and a description of {length:,} bytes: at most "
            f"{MOST_TENSORS:,} and {LARGEST_HEADER:,} are read; shorten it"
        )


def read_sealed(path: str | Path, *, format: str | tuple[str, ...]) -> tuple[Tensors, Words]:
    """(tensors, words) of a file in this format (or one of these), fully checked.

    Raises ModelFileError, naming the rule that the file breaks, or FileNotFoundError. Of these
    errors, DamagedFileError is for a file that is not whole, NewerFormatError for a later format.
    """
    with naming_what_is_read(path):
        return _read_sealed(Path(path), format)


def _read_sealed(path: Path, format: str | tuple[str, ...]) -> tuple[Tensors, Words]:
    try:
        content = read_own(path, LARGEST_FILE, follow_links=True)
    except OddFileError as error:
        raise ModelFileError(f"{path}: {error.strerror}") from None
    words = _words(path, content)
    known = (format,) if isinstance(format, str) else format
    said, seal = words.get("format", ""), words.pop("sha256", None)
    later = is_newer(said, known)
    # safetensors copies every tensor, and ends in a panic where it cannot.
    reserve(len(content))
    try:
        tensors = load_tensors(content)
    except (SafetensorError, ValueError, KeyError) as error:
        if later:
            raise newer(path, said, known) from None
        raise DamagedFileError(f"{path}: not a whole safetensors file ({error})") from None
    if later and not any(seal == _digest(tensors, words | {"format": one}) for one in known):
        # Otherwise it is one of ours, with a flipped bit in the format's number.
        raise newer(path, said, known)
    whole = seal == _digest(tensors, words)
    if said not in known:
        raise (ModelFileError if whole else DamagedFileError)(
            f"{path}: its format is {words.get('format')!r}, this program reads "
            f"{', '.join(map(repr, known))}; save the model with chainrule"
        )
    if not whole:
        raise DamagedFileError(
            f"{path}: the checksum does not hold, the file was changed or damaged"
        )
    return tensors, words


def _words(path: Path, content: bytes) -> Words:
    """The metadata of a safetensors file, after the checks that do not need the tensors."""
    for start, name in STRANGERS.items():
        # Told apart by the brace after the length: a header of 128 bytes begins like a pickle.
        if content.startswith(start) and content[8:9] != b"{":
            raise DamagedFileError(
                f"{path}: {name}, which can hold code; only safetensors are read"
            )
    length = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    if not 2 <= length <= min(LARGEST_HEADER, len(content) - 8):
        raise DamagedFileError(f"{path}: not a safetensors file, its header length is {length:,}")
    try:
        header = json.loads(content[8 : 8 + length])
        words = header.get("__metadata__", {})
        if not all(isinstance(value, str) for value in words.values()):
            raise ValueError("metadata are text")
        if (tensors := len(header) - ("__metadata__" in header)) > MOST_TENSORS:
            raise ValueError(f"{tensors:,} tensors, at most {MOST_TENSORS:,} are read")
    except (ValueError, AttributeError, RecursionError) as error:
        raise DamagedFileError(
            f"{path}: its header is not what safetensors have ({error})"
        ) from None
    return dict(words)


def _pieces(path: str | Path, tensors: Tensors, words: Words) -> list[Content]:
    """A safetensors file in pieces: its header, then the memory of each tensor, not copied.

    The package's own writer holds the file twice more, and hangs where there is no memory for that.
    The order of the tensors is the package's, the words are sorted: it has them in random order.
    """
    if unknown := {tensor.dtype for tensor in tensors.values()} - {*TYPES}:
        raise ModelFileError(f"{path}: not written, safetensors hold no {unknown.pop()}")
    names = sorted(tensors, key=lambda name: (-[*TYPES].index(tensors[name].dtype), name))
    header: dict[str, Any] = {"__metadata__": dict(sorted(words.items()))}
    pieces: list[Content] = []
    end = 0
    for name in names:
        tensor = tensors[name]
        start, end = end, end + tensor.nbytes
        kind = TYPES[tensor.dtype]
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [start, end]}
        values = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
        pieces.append(values.reshape(-1).view(np.uint8).data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors start on a multiple of 8
    return [struct.pack("<Q", len(text)) + text, *pieces]


def _digest(tensors: Tensors, words: Words) -> str:
    """SHA-256 over the words and each tensor with its name, type and shape."""
    digest = hashlib.sha256("\n".join(words[name] for name in sorted(words)).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()

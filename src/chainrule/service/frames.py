"""Frames between the service and the process that reads bodies: a header in JSON, and bytes."""

from __future__ import annotations

import struct
from typing import IO, Any

import orjson

SIZES = struct.Struct("<IQ")
"""Bytes of the header, bytes behind it."""


def write_frame(pipe: IO[bytes], header: dict[str, Any], content: bytes = b"") -> None:
    """Writes one frame."""
    told = orjson.dumps(header)
    pipe.write(SIZES.pack(len(told), len(content)) + told)
    pipe.write(content)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Reads one frame; EOFError if the pipe ends before its end."""
    told, content = SIZES.unpack(_whole(pipe, SIZES.size))
    header: dict[str, Any] = orjson.loads(_whole(pipe, told))
    return header, _whole(pipe, content)


def _whole(pipe: IO[bytes], size: int) -> bytes:
    read = pipe.read(size)
    if len(read) < size:
        raise EOFError
    return read

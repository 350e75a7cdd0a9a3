"""Metadata of PNG and JPEG files: stripped before decoding, all but the orientation.

A decoder parses every comment, profile and EXIF tag, some in time that grows with the square of
their number, so that a file of few pixels can take minutes. Here the parts that hold no pixels are
left out by their type alone, and their number is limited.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from chainrule.core.errors import DataError

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MOST_PARTS = 65_536
"""Most chunks or segments of a file; libpng writes one for 8 KiB."""
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Within the coded pixels of a JPEG, FF is followed by 00 or a restart number."""
START_OF_SCAN, END_OF_IMAGE, TEMPORARY, COMMENT = 0xDA, 0xD9, 0x01, 0xFE
APPLICATION = range(0xE0, 0xF0)
COLOURS = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
"""Application segments that say what the colours are; the first of each is kept."""
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
PNG_XMP, PNG_EXIF = b"XML:com.adobe.xmp\0\0\0", b"Raw profile type exif\0\0"
"""The text of the first is not compressed; that of the second is, and hexadecimal."""
LONGEST_EXIF = 131_072
ORIENTATION = 0x0112
XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
SHORT, LONG = 3, 4


class Bare(NamedTuple):
    """File without metadata."""

    data: bytes
    orientation: int
    """EXIF's number, 1 to 8; 1: upright."""
    scans: int
    """Of a JPEG; 1 for a PNG."""


def bare(data: bytes, name: str) -> Bare:
    """Strips the metadata of a PNG or JPEG; anything else, and what is damaged, stays as it is.

    Raises DataError for more than MOST_PARTS chunks or segments.
    """
    if data.startswith(PNG):
        return _bare_png(data, name)
    return _bare_jpeg(data, name) if data.startswith(JPEG) else Bare(data, 1, 0)


def _bare_png(data: bytes, name: str) -> Bare:
    kept, at, orientation, parts = [PNG], len(PNG), 0, 0
    while at < len(data):
        parts += 1
        _check(parts, name)
        kind = data[at + 4 : at + 8]
        start, end = at + 8, at + 12 + int.from_bytes(data[at : at + 4], "big")
        if kind in PIXEL_CHUNKS or end > len(data):
            kept.append(data[at:end])
        elif not orientation and kind == b"eXIf":
            orientation = _of_exif(data[start : min(end - 4, start + LONGEST_EXIF)])
        elif not orientation and kind == b"zTXt" and data.startswith(PNG_EXIF, start):
            orientation = _of_exif(_profile(data[start + len(PNG_EXIF) : end - 4]))
        elif not orientation and kind == b"iTXt" and data.startswith(PNG_XMP, start):
            orientation = _of_xmp(data[start : end - 4])
        at = end
        if kind == b"IEND":
            break
    return Bare(b"".join(kept), orientation or 1, 1)


def _bare_jpeg(data: bytes, name: str) -> Bare:
    kept, orientation, scans = [data[:2]], 0, 0
    once = dict(COLOURS)
    for marker, start, end, next_marker in _segments(data, name):
        content = start + 4
        if marker == COMMENT:
            continue
        if marker in APPLICATION:
            if data.startswith(EXIF, content):
                orientation = orientation or _of_exif(data[content + len(EXIF) : end])
            elif data.startswith(XMP, content):
                orientation = orientation or _of_xmp(data[content:end])
            if not (marker in once and data.startswith(once[marker], content)):
                continue
            del once[marker]
        scans += marker == START_OF_SCAN
        # The coded pixels follow a scan's header; between other segments is filling.
        kept.append(data[start : next_marker if marker == START_OF_SCAN else end])
    return Bare(b"".join(kept), orientation or 1, scans)


def _segments(data: bytes, name: str) -> Iterator[tuple[int, int, int, int]]:
    """Segments of a JPEG up to its end: (marker, start, end, start of the next marker)."""
    found = MARKER.search(data, 2)
    parts = 0
    while found:
        parts += 1
        _check(parts, name)
        start, marker = found.start(), data[found.start() + 1]
        end = start + 2
        if marker == END_OF_IMAGE:
            yield marker, start, end, end
            return
        if marker != TEMPORARY:
            end += max(2, int.from_bytes(data[end : end + 2], "big"))
        found = MARKER.search(data, end)
        yield marker, start, end, found.start() if found else len(data)


def _check(parts: int, name: str) -> None:
    if parts > MOST_PARTS:
        raise DataError(
            f"{name} consists of more than {MOST_PARTS:,} parts, which is no usual picture; save "
            "it again as a plain PNG or JPEG."
        )


def _profile(packed: bytes) -> bytes:
    """EXIF data as ImageMagick writes them into a PNG: hexadecimal, after three lines."""
    try:
        text = zlib.decompressobj().decompress(packed, 2 * LONGEST_EXIF)
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except (zlib.error, ValueError):
        return b""


def _of_exif(tiff: bytes) -> int:
    """Orientation in EXIF's first directory; 0 without one. No other tag is read."""
    tiff = tiff.removeprefix(EXIF)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 0
    (at,) = struct.unpack_from(order + "L", tiff, 4)
    (count,) = struct.unpack(order + "H", tiff[at : at + 2].ljust(2, b"\0"))
    entries = tiff[at + 2 : at + 2 + 12 * count]
    entries = entries[: len(entries) // 12 * 12]
    for tag, kind, number, value in struct.iter_unpack(order + "HHL4s", entries):
        if tag == ORIENTATION and number == 1 and kind in (SHORT, LONG):
            (turned,) = struct.unpack_from(order + ("H" if kind == SHORT else "L"), value)
            return int(turned) if 1 <= turned <= 8 else 1
    return 0


def _of_xmp(text: bytes) -> int:
    found = XMP_ORIENTATION.search(text)
    return int(found[1]) if found else 0

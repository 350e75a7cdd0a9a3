"""Mutations of PNG chunks and JPEG segments; checksums and lengths repaired or not."""

from __future__ import annotations

import struct
import zlib
from functools import cache

from stress.fuzz.dice import Dice, damaged, shuffled

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Chunk = tuple[bytes, bytes]
KINDS = (
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"iCCP", b"tEXt", b"zTXt", b"iTXt"),
    *(b"eXIf", b"acTL", b"fcTL", b"fdAT", b"pHYs", b"sRGB", b"cHRM", b"bKGD", b"ABCD", b"\0\0\0\0"),
)
MARKERS = (0xC0, 0xC1, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE)
EXIF = (
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
    b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0",
    b"MPF\0MM\0*\0\0\0\x08\0\x01\xb0\x01\0\x04\0\0\0\x01\0\0\0\x02\0\0\0\0",
    b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='3'/>",
    b"ICC_PROFILE\0\x01\x01" + bytes(40),
    b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0",
)


@cache
def chunks(seed: bytes) -> tuple[Chunk, ...]:
    """The chunks of a PNG: (type, content)."""
    found, at = [], len(SIGNATURE)
    while at < len(seed):
        length = int.from_bytes(seed[at : at + 4], "big")
        found.append((seed[at + 4 : at + 8], seed[at + 8 : at + 8 + length]))
        at += length + 12
    return tuple(found)


def chunk(dice: Dice) -> Chunk:
    """A chunk of any type."""
    content = dice.noise(40)
    kind = dice.one(KINDS)
    if kind in (b"iCCP", b"zTXt", b"iTXt"):
        bomb = zlib.compress(bytes(dice.one((10, 1000, 300_000))), 1)
        content = b"name\0" + (b"\1\0\0\0" if kind == b"iTXt" else b"\0") + bomb
    elif kind == b"eXIf":
        content = dice.one(EXIF)[6:]
    elif kind == b"IHDR":
        content = dice.edge(4, "big") + dice.edge(4, "big") + dice.noise(5)
    return kind, content


def header(content: bytes, dice: Dice) -> bytes:
    """IHDR with one of its numbers another."""
    content = content.ljust(13, b"\0")
    at = dice.one((0, 4, 8, 9, 10, 11, 12))
    if at < 8:
        side = struct.pack(">I", dice.below(40)) if dice.maybe() else dice.edge(4, "big")
        return content[:at] + side + content[at + 4 :]
    value = dice.one((0, 1, 2, 3, 4, 6, 8, 16, 255))
    return content[:at] + bytes([value]) + content[at + 1 :]


def png(seed: bytes, dice: Dice) -> bytes:
    """A PNG; nearly always with the checksums of what it holds, so that it is read at all."""
    if dice.maybe(0.2):
        return damaged(seed, dice)
    pieces = list(chunks(seed))
    if dice.maybe(0.4):
        pieces = shuffled(pieces, dice, lambda: chunk(dice))
    if dice.maybe(0.6) and pieces:
        at = dice.below(len(pieces))
        kind, content = pieces[at]
        if kind == b"IHDR":
            content = header(content, dice)
        elif kind == b"IDAT" and dice.maybe():
            try:
                rows = zlib.decompressobj().decompress(content, 1 << 16)
            except zlib.error:
                rows = content
            content = zlib.compress(damaged(rows, dice), 1)
        else:
            content = damaged(content, dice)
        pieces[at] = (kind, content)
    whole = SIGNATURE
    wrong = dice.below(8 * len(pieces) + 1)
    for index, (kind, content) in enumerate(pieces):
        length = dice.edge(4, "big") if index == wrong else struct.pack(">I", len(content))
        checksum = struct.pack(">I", zlib.crc32(kind + content) ^ (index == wrong - 8))
        whole += length + kind + content + checksum
    return whole


@cache
def segments(seed: bytes) -> tuple[tuple[int, bytes], ...]:
    """The segments of a JPEG: (marker, content without its length); the last holds the pixels."""
    found: list[tuple[int, bytes]] = []
    at = 2
    while True:
        marker = seed[at + 1]
        length = int.from_bytes(seed[at + 2 : at + 4], "big")
        if marker == 0xDA:
            return (*found, (marker, seed[at + 4 :]))
        found.append((marker, seed[at + 4 : at + 2 + length]))
        at += 2 + length


def segment(dice: Dice) -> tuple[int, bytes]:
    """A segment of any kind."""
    content = dice.one(EXIF) if dice.maybe() else dice.noise(60)
    return dice.one(MARKERS), damaged(content, dice) if dice.maybe() else content


def jpeg(seed: bytes, dice: Dice) -> bytes:
    """A JPEG whose segments have the length they say, half of the time all of them."""
    if dice.maybe(0.3):
        return seed[:2] + damaged(seed[2:], dice)
    pieces = list(segments(seed))
    if dice.maybe(0.5):
        pieces = shuffled(pieces, dice, lambda: segment(dice))
    if dice.maybe(0.7) and pieces:
        at = dice.below(len(pieces))
        marker, content = pieces[at]
        if marker in (0xC0, 0xC2) and dice.maybe():
            at_side = dice.one((1, 3))
            side = dice.edge(2, "big")
            content = content[:at_side] + side + content[at_side + 2 :]
        else:
            content = damaged(content, dice)
        pieces[at] = (marker, content)
    whole = b"\xff\xd8"
    wrong = dice.below(2 * len(pieces) + 1)
    for index, (marker, content) in enumerate(pieces):
        whole += bytes([0xFF, marker])
        if marker == 0xDA:
            whole += struct.pack(">H", 6 + 2 * (content[0] if content else 0))
        else:
            length = min(len(content) + 2, 0xFFFF)
            whole += dice.edge(2, "big") if index == wrong else struct.pack(">H", length)
        whole += content
    return whole


def picture(seed: bytes, dice: Dice) -> bytes:
    """A damaged picture of the seed's kind."""
    return png(seed, dice) if seed.startswith(SIGNATURE) else jpeg(seed, dice)

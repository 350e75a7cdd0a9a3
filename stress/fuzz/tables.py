"""Mutations of IDX, gzip, npz and text tables, with the lengths and checksums repaired or not."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import TypeAlias

from stress.fuzz.dice import Dice, damaged, shuffled

Member: TypeAlias = tuple[bytes, bytes]
"""A name and what is stored under it."""

FIELDS = (
    *(b"0", b"1", b"9", b"10", b"17", b"255", b"256", b"-1", b"-0", b"0.5", b".5", b"5.", b"1e-3"),
    *(b"1e2", b"1e999", b"nan", b"inf", b"", b" ", b" 7 ", b"\t7", b"1 2", b'"3"', b"x", b"0x10"),
    *(b"1_0", b"\xd9\xa3", b"\0", b"9" * 400, b"1" * 5000 + b"x", b"--1", b"e5", b"00007", b"=1+1"),
)
LINES = (b"", b"\r", b"@DATA", b"@data  ", b"% note", b"label,a,b", b"label,0,1,2", b"3", b",,,,")
NPY = (
    *("'|u1'", "'<f4'", "'>f8'", "'<i8'", "'|O'", "'<U3'", "'|S9'", "'<M8[ns]'", "'<f2'", "'u1'"),
    *("[('a', '<f4')]", "''", "'<c16'", "__import__('os')"),
)
SHAPES = ("()", "(0,)", "(1,)", "(3,)", "(3, 2, 2)", "(3,4)", "(-1, 4)", "(4294967295, 65536)")
METHODS = (0, 8, 0, 8, 0, 8, 12, 14, 93, 65535)


def idx(seed: bytes, dice: Dice) -> bytes:
    """IDX: sizes at their edges, values damaged, and half of the time sizes that fit the values."""
    if dice.maybe(0.3):
        return damaged(seed, dice)
    images = seed[3] == 3
    values = damaged(seed[16 if images else 8 :], dice) if dice.maybe(0.7) else seed[16:]
    sizes = [len(values)]
    if images:
        height, width = 1 + dice.below(6), 1 + dice.below(6)
        sizes = [len(values) // (height * width), height, width]
        values = values[: sizes[0] * height * width]
    header = bytearray(seed[:4] + struct.pack(f">{len(sizes)}I", *sizes))
    if dice.maybe():
        at = 4 * dice.below(len(header) // 4)
        header[at : at + 4] = dice.edge(4, "big")
    return bytes(header) + values


def packed(data: bytes, dice: Dice) -> bytes:
    """The data as gzip, with other headers, levels and members; its end may be put right or not."""
    level = dice.one((0, 1, 6, 9))
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflater.compress(data) + deflater.flush()
    flags, extra = 0, b""
    if dice.maybe(0.2):
        flags = dice.below(256)
        extra = dice.edge(2) + dice.noise() + b"name\0comment\0" + dice.edge(2)
    if dice.maybe(0.3):
        body = damaged(body, dice)
        if dice.maybe():
            # The trailer of what the damaged stream now holds.
            try:
                data = zlib.decompressobj(-15).decompress(body, 1 << 20)
            except zlib.error:
                data = b""
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    if dice.maybe(0.1):
        trailer = damaged(trailer, dice)
    head = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, flags, 0, 0, 255) + extra
    more = dice.one((b"", b"", b"", b"", b"\0", gzip.compress(b"1", 1)))
    return head + body + trailer + more


def npy(seed: bytes, dice: Dice) -> bytes:
    """One array: a header of other words, its length right or at an edge, values damaged."""
    if dice.maybe(0.2):
        return damaged(seed, dice)
    length = int.from_bytes(seed[8:10], "little")
    text, values = seed[10 : 10 + length].decode("latin1"), seed[10 + length :]
    if dice.maybe(0.4):
        first, last = text.find("'", 9), text.find(",", 9)
        text = text[:first] + dice.one(NPY) + text[last:]
    if dice.maybe(0.4):
        first, last = text.find("("), text.rfind(")")
        text = text[:first] + dice.one(SHAPES) + text[last + 1 :]
    if dice.maybe(0.2):
        text = damaged(text.encode("latin1"), dice).decode("latin1")
    if dice.maybe(0.3):
        values = damaged(values, dice)
    version = dice.one((1, 1, 1, 2, 3, 0, 255))
    width = 4 if version > 1 else 2
    size = dice.edge(width) if dice.maybe(0.1) else len(text).to_bytes(width, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin1") + values


def npz(members: list[Member], dice: Dice) -> bytes:
    """A zip file of arrays, some of them damaged, some entries with other sizes, names and flags.

    Its checksums and places are those of what it holds, but where a number is set to an edge.
    """
    if dice.maybe(0.6):
        at = dice.below(len(members))
        name, content = members[at]
        members = [*members[:at], (name, npy(content, dice)), *members[at + 1 :]]
    if dice.maybe(0.2):
        names = (b"x_train.npy", b"../../owned.npy", b"/etc/x.npy", b"", b"x.npy", b"\xff.npy")
        members = shuffled(members, dice, lambda: (dice.one(names), dice.one(members)[1]))
    whole = zipped(members, dice)
    return damaged(whole, dice) if dice.maybe(0.15) else whole


def zipped(members: list[Member], dice: Dice | None = None) -> bytes:
    """A zip file of the members; with dice, an entry or the end may be wrong."""
    whole, directory = b"", b""
    faulty = dice.below(2 * len(members) + 1) if dice else -1
    for index, (name, content) in enumerate(members):
        method = dice.one((0, 8)) if dice else 8
        body = content
        if method:
            deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
            body = deflater.compress(content) + deflater.flush()
        fields = [20, 0, method, 0, 0x21, zlib.crc32(content), len(body), len(content)]
        if dice and index == faulty:
            at = dice.below(len(fields))
            fields[at] = dice.one(METHODS) if at == 2 else _edge(dice, 4 if at > 4 else 2)
        local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", *fields, len(name), 0)
        place = (0, 0, 0, 0, 0, len(whole))
        entry = struct.pack("<4sHHHHHHIII", b"PK\1\2", 20, *fields)
        directory += entry + struct.pack("<HHHHHII", len(name), *place) + name
        whole += local + name + body
    end = [0, 0, len(members), len(members), len(directory), len(whole)]
    if dice and dice.maybe(0.1):
        at = dice.below(len(end))
        end[at] = _edge(dice, 4 if at > 3 else 2)
    return whole + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", *end, 0)


def _edge(dice: Dice, width: int) -> int:
    return int.from_bytes(dice.edge(width), "little")


def text(seed: bytes, dice: Dice) -> bytes:
    """Lines and fields exchanged, doubled and lost; line ends of all kinds."""
    if dice.maybe(0.2):
        return damaged(seed, dice)
    lines = seed.split(b"\n")
    for _ in range(dice.few()):
        at = dice.below(len(lines))
        if dice.maybe(0.2):
            lines = shuffled(lines, dice, lambda: dice.one(LINES)) or [b""]
        else:
            fields = shuffled(lines[at].split(b","), dice, lambda: dice.one(FIELDS))
            if dice.maybe(0.7):
                fields = lines[at].split(b",")
                fields[dice.below(len(fields))] = dice.one(FIELDS)
            lines[at] = b",".join(fields)
    if dice.maybe(0.05):
        lines *= 1 + dice.below(40)
    data = dice.one((b"\n", b"\n", b"\r\n", b"\r")).join(lines)
    return b"\xef\xbb\xbf" + data if dice.maybe(0.05) else data

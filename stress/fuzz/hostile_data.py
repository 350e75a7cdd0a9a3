"""Hostile IDX, gzip, npz and CSV files, made by hand: their bytes, and words of their refusal."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import warnings
import zipfile
import zlib
from typing import TypeAlias

import numpy as np

Hostile: TypeAlias = dict[str, tuple[bytes, str]]
"""A name for each file, its bytes, and words from the sentence that refuses it."""
MIB = 2**20


def idx() -> Hostile:
    """Sizes that do not fit, overflow, are negative or nothing; other magic numbers."""

    def sizes(magic: int, *sides: int, values: int = 12) -> bytes:
        return struct.pack(f">I{len(sides)}I", magic, *sides) + bytes(values)

    whole = sizes(0x803, 3, 2, 2)
    magics = {
        f"magic-{magic:08x}": (sizes(magic, 3, 2, 2), "starts with 0x")
        for magic in (0x802, 0x804, 0x903, 0x0D03, 0x80000803, 0x03080000, 0xFFFFFFFF)
    }
    return magics | {
        "empty": (b"", "is empty"),
        "magic-alone": (whole[:4], "ends within its header"),
        "header-cut": (whole[:11], "ends within its header"),
        "one-byte-missing": (whole[:-1], "makes 28 bytes, and has 27"),
        "one-byte-more": (whole + b"\0", "makes 28 bytes, and has 29"),
        "no-images": (sizes(0x803, 0, 2, 2, values=0), "holds nothing"),
        "no-height": (sizes(0x803, 3, 0, 2, values=0), "holds nothing"),
        "product-2-to-64": (sizes(0x803, 2**31, 2**31, 4), "makes 18,446,744,073,709,551,632"),
        "product-of-the-largest": (sizes(0x803, *[2**32 - 1] * 3), "declares the size"),
        "product-wraps-to-12": (sizes(0x803, 2**31, 2**31, 4, values=0), "declares the size"),
        "minus-one": (sizes(0x803, 3, 2**32 - 1, 2), "declares the size"),
        "four-billion-labels": (sizes(0x801, 2**32 - 1), "declares the size"),
        "little-endian": (struct.pack("<IIII", 0x803, 3, 2, 2) + bytes(12), "starts with 0x"),
        "gzip-cut": (gzip.compress(whole, mtime=0)[:-5], "cut short"),
        "gzip-bomb": (gzip.compress(bytes(8 * MIB), mtime=0), "gzip bomb"),
    }


def gzips() -> Hostile:
    """Bombs, bombs in bombs, members behind the first, checksums and headers that do not hold."""
    table = b"3,0,17,255,4\n" * 4
    whole = gzip.compress(table, mtime=0)
    bomb = gzip.compress(bytes(8 * MIB), mtime=0)
    blank = gzip.compress(b"0," * (4 * MIB), mtime=0)
    lines = gzip.compress(b"0,0,0,0,0\n" * (MIB // 2), mtime=0)
    pickles = gzip.compress(b"\x80\x02" + b"N" * (8 * MIB) + b".", mtime=0)
    stored = zlib.compressobj(0, zlib.DEFLATED, 31)
    empty = stored.compress(b"") + stored.flush()
    name = whole[:3] + b"\x08" + whole[4:10]
    return {
        "zeros": (bomb, "none of IDX, npz, pickle"),
        "one-line": (blank, "longer than"),
        "many-lines": (lines, "gzip bomb"),
        "pickle": (pickles, "gzip bomb"),
        "in-gzip": (gzip.compress(bomb, mtime=0), "none of IDX"),
        "in-gzip-in-gzip": (gzip.compress(gzip.compress(bomb, mtime=0), mtime=0), "none of IDX"),
        "of-images": (
            gzip.compress(struct.pack(">IIII", 0x803, 2**14, 28, 28) + bytes(8 * MIB), mtime=0),
            "gzip bomb",
        ),
        "second-member": (whole + whole, "extra bytes"),
        "thousand-empty-members": (empty * 500, "extra bytes"),
        "bytes-behind": (whole + b"\0" * 100, "extra bytes"),
        "checksum": (whole[:-8] + b"\0\0\0\0" + whole[-4:], "damaged"),
        "length": (whole[:-4] + b"\xff\xff\xff\xff", "damaged"),
        "cut": (whole[:-9], "cut short"),
        "header-alone": (whole[:10], "cut short"),
        "name-without-end": (name + b"a" * 10_000, "cut short"),
        "other-method": (whole[:2] + b"\x09" + whole[3:], "damaged"),
        "reserved-flags": (whole[:3] + b"\xe0" + whole[4:], "damaged"),
        "distance-too-far": (whole[:10] + b"\x4b\x04\x82\x01" + whole[-8:], "damaged"),
        "nothing": (gzip.compress(b"", mtime=0), "is empty"),
        "bz2": (bz2.compress(table), "none of IDX"),
        "xz": (lzma.compress(table), "none of IDX"),
    }


def _npy(header: str, values: bytes = bytes(4), *, length: int = -1, version: int = 1) -> bytes:
    width = 4 if version > 1 else 2
    size = len(header) if length < 0 else length
    return (
        b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(width, "little") + header.encode()
    ) + values


def _zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return stream.getvalue()


def _set(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """The data with bytes other than they were, so many after the last place of a mark."""
    at = data.rindex(mark) + offset
    return data[:at] + value + data[at + len(value) :]


def npz() -> Hostile:
    """Members packed, named, sized and typed as no picture data is."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.zeros((2, 2, 2), np.uint8))
    images = stream.getvalue()
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([{"a": 1}], object), allow_pickle=True)
    objects = stream.getvalue()
    labels = _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", bytes(2))
    good = [(f"{x}_{part}.npy", images if x == "x" else labels) for part in ("train", "test")
            for x in "xy"]  # fmt: skip
    whole = _zip(*good)

    def first(content: bytes) -> bytes:
        return _zip(("x_train.npy", content), *good[1:])

    def described(descr: str, shape: str = "(4,)", values: bytes = bytes(4)) -> bytes:
        return first(
            _npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}", values)
        )

    directory, end = b"PK\1\2", b"PK\5\6"
    huge = _npy(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (8388608, 1, 1), }", bytes(8 * MIB)
    )
    return {
        "bz2-member": (_zip(*good, method=zipfile.ZIP_BZIP2), "compression method 12"),
        "lzma-member": (_zip(*good, method=zipfile.ZIP_LZMA), "compression method 14"),
        "zstd-member": (_set(whole, directory, 10, b"\x5d\0"), "compression method 93"),
        "encrypted": (_set(whole, directory, 8, b"\1\0"), "encrypted"),
        "bomb": (first(huge), "zip bomb"),
        "declares-4-gib": (_set(whole, directory, 24, b"\xfe\xff\xff\xff"), "declares 4,294,967"),
        "declares-less": (_set(whole, directory, 24, b"\x05\0\0\0"), "y_test.npy'"),
        "overlap": (_set(whole, directory, 20, b"\xff\xff\xff\0"), "overlap"),
        "same-place": (_set(whole, directory, 42, b"\0\0\0\0"), "damaged"),
        "twice": (_zip(*good, good[0]), "all different"),
        "many": (_zip(*((f"{n}.npy", images) for n in range(40))), "has 40 members"),
        "parent-folder": (_zip(*good, ("../../owned.npy", images)), "also holds '../../owned'"),
        "absolute": (_zip(*good, ("/etc/owned.npy", images)), "also holds '/etc/owned'"),
        "other-name": (_zip(*good, ("code.py", b"import os")), "also holds 'code.py'"),
        "three-arrays": (_zip(*good[:3]), "lacks y_test"),
        "zip-in-zip": (_zip(("x_train.npy", whole), *good[1:]), "not in NumPy's npy format"),
        "objects": (first(objects), "only plain numbers"),
        "fields": (described("[('a', '<f4')]"), "only plain numbers"),
        "text": (described("'<U1'"), "only plain numbers"),
        "python-object": (described("'|O'"), "only plain numbers"),
        "call-as-type": (described("__import__('os').system('echo owned')"), "not readable"),
        "header-4-gib": (first(_npy("{'descr'", length=2**32 - 1, version=2)), "declares 4,294"),
        "header-65535": (first(_npy("{" + "x" * 15_000)), "declares 15,001 bytes"),
        "header-deep": (first(_npy("[" * 9000)), "not readable"),
        "header-minus": (first(_npy("-" * 9000 + "1")), "not readable"),
        "shape-negative": (described("'|u1'", "(-1, 4)"), "shape"),
        "shape-huge": (described("'|u1'", "(4294967295, 4294967295)"), "needs"),
        "shape-overflow": (described("'<f8'", "(2305843009213693952,)"), "shape"),
        "shape-nothing-huge": (described("'|u1'", "(0, 549755813887)", b""), "holds no values"),
        "shape-deep": (described("'|u1'", "((((4,),),),)"), "shape"),
        "shape-of-5": (described("'|u1'", "(1, 1, 1, 1, 4)"), "shape"),
        "nan": (described("'<f4'", "(2, 1, 1)", b"\0\0\xc0\x7f" * 2), "pixel value nan"),
        "cut": (whole[:-40], "its end is missing"),
        "comment": (_set(whole, end, 20, b"\x05\0") + b"PK\5\6\0", "its end is missing"),
        "64-bit": (whole[:-22] + b"PK\6\7" + bytes(16) + whole[-22:], "64-bit sizes"),
        "long-directory": (_set(whole, end, 12, b"\xff\xff\xff\x7f"), "list of members has"),
        "directory-elsewhere": (_set(whole, end, 16, b"\0\0\0\x7f"), "damaged"),
    }


def tables() -> Hostile:
    """Lines that never end, fields that are no numbers, tables that are none."""
    noise = random.Random(0).randbytes(4000)
    rows = b"3,0,17,255,4\n" * 6
    return {
        "binary": (noise, "none of IDX"),
        "binary-behind-a-page": (rows * 100 + noise, "row 601"),
        "zero-bytes": (rows + b"\0" * 5000, "none of IDX"),
        "long-line": (gzip.compress(rows + b"1" * 400_000, mtime=0), "row 7: longer than"),
        "long-first-line": (gzip.compress(b"1," * 40_000, mtime=0), "row 1: longer than"),
        "digits-then-a-letter": (
            gzip.compress(b"3,0,17,255," + b"1" * 60_000 + b"x\n", mtime=0),
            "is not a number",
        ),
        "digits-as-label": (
            gzip.compress(b"1" * 60_000 + b"x,0,17,255,4\n" + rows, mtime=0),
            "is not a number",
        ),
        "ragged": (rows + b"3,0,17\n", "row 7: 3 columns"),
        "ragged-longer": (rows + b"3,0,17,255,4,5\n", "row 7: 6 columns"),
        "nan": (rows + b"3,nan,17,255,4\n", "row 7, column 2"),
        "infinity": (rows + b"3,inf,17,255,4\n", "row 7, column 2"),
        "large-exponent": (rows + b"3,1e999,17,255,4\n", "row 7, column 2"),
        "negative": (rows + b"3,-1,17,255,4\n", "row 7, column 2"),
        "formula": (rows + b"=1+1|' /C calc'!A0,0,17,255,4\n", "row 7, column 1"),
        "quoted": (rows + b'3,"0",17,255,4\n', "row 7, column 2"),
        "underscore": (rows + b"3,1_0,17,255,4\n", "row 7, column 2"),
        "arabic-digit": (rows + "3,\u0663,17,255,4\n".encode(), "none of IDX"),
        "label-99": (rows + b"99,0,17,255,4\n", "label 99"),
        "label-fraction": (rows + b"2.5,0,17,255,4\n", "label 2.5"),
        "only-commas": (b"," * 1000 + b"\n", "holds no rows"),
        "only-lines": (b"\n" * 5000, "holds no rows"),
        "header-alone": (b"label,a,b\n", "holds no rows"),
        "html": (b"<!DOCTYPE html>\n<html><script>alert(1)</script></html>\n", "one column"),
        "python": (b"import os\nos.system('echo owned')\n", "one column"),
        "arff-without-data": (b"@RELATION x\n@ATTRIBUTE a real\n0,1\n", "no line @DATA"),
        "arff-with-code": (b"@RELATION x\n@DATA\n__import__('os'),1\n", "is not a number"),
        "utf-16": ("3,0,17\n".encode("utf-16"), "none of IDX"),
    }

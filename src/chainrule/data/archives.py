"""Opening compressed files without letting a small file fill the memory: caps come first."""

from __future__ import annotations

import ast
import io
import math
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data.dataset import DataError
from chainrule.data.values import NUMBERS

MIB = 2**20
FREE_OUTPUT = MIB
"""Up to here a gzip file may inflate at any ratio: a short file of zeros is honest."""
LARGEST_RATIO = 200
"""MNIST's images deflate 4.7:1, blank ones about 1000:1, which is also what DEFLATE can reach."""
CHUNK = MIB // 4
LARGEST_NPZ = 512 * MIB
MOST_MEMBERS = 16
LONGEST_NPY_HEADER = 10_000


def read_file(path: Path, cap: int) -> bytes:
    """All bytes of an ordinary file of at most `cap` bytes; the size is checked before reading."""
    try:
        status = path.stat()
        # A pipe or a device would be read for ever.
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path} is not an ordinary file; give the path of a data file.")
        if status.st_size > cap:
            raise DataError(
                f"{path} has {status.st_size:,} bytes and at most {cap:,} are read; divide it."
            )
        if status.st_size == 0:
            raise DataError(f"{path} is empty; fetch or export it again.")
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; give the path of a data file or folder.") from None
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte. DataError is one too, and passes on.
        if isinstance(error, DataError):
            raise
        what = getattr(error, "strerror", None) or error
        raise DataError(f"{str(path)[:200]!r} cannot be read: {what}; check the path.") from None


def gunzip(packed: bytes, cap: int, name: str) -> bytes:
    """Inflate one gzip member under two caps: `cap` bytes, and 200:1 after the first MiB.

    Raises DataError when a cap is passed, the stream is damaged or cut short, or bytes follow it.
    """
    inflater = zlib.decompressobj(31)
    pieces: list[bytes] = []
    total, position, rest = 0, 0, b""
    try:
        while not inflater.eof:
            if not rest:
                rest = packed[position : position + CHUNK]
                position += len(rest)
                if not rest:
                    raise DataError(
                        f"{name} is cut short: its gzip stream has no end; get it anew."
                    )
            pieces.append(inflater.decompress(rest, CHUNK))
            rest = inflater.unconsumed_tail
            total += len(pieces[-1])
            if total > cap:
                raise DataError(f"{name} inflates beyond {cap:,} bytes, the most that is read.")
            if total > FREE_OUTPUT and total > LARGEST_RATIO * position:
                raise DataError(
                    f"{name} inflates more than {LARGEST_RATIO}:1, which no picture data does; "
                    "it is refused as a gzip bomb."
                )
    except zlib.error as error:
        raise DataError(f"{name} is damaged: {error}; get it anew.") from None
    if inflater.unused_data or position < len(packed):
        raise DataError(f"{name} has extra bytes after its gzip stream; get it anew.")
    return b"".join(pieces)


def zip_member(archive: zipfile.ZipFile, member: str, *, cap: int, name: str) -> bytes:
    """One member of a zip file, at most `cap` bytes of it.

    Raises DataError for a member that is missing, encrypted, larger than declared or than `cap`,
    damaged, or packed by anything but DEFLATE: zipfile bounds no other method while it inflates.
    """
    try:
        entry = archive.getinfo(member)
    except KeyError:
        raise DataError(f"{name} has no member {member!r}; it is another file.") from None
    if entry.flag_bits & 0x1:
        raise DataError(f"{name}, member {member!r}: encrypted; save it without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{name}, member {member!r}: compression method {entry.compress_type}, and only "
            "stored or deflated members are read; save it anew with numpy.savez_compressed."
        )
    if entry.file_size > cap:
        raise DataError(
            f"{name}, member {member!r}: declares {entry.file_size:,} bytes and at most {cap:,} "
            "are read."
        )
    try:
        with archive.open(entry) as stream:
            data = stream.read(entry.file_size + 1)
    except Exception as error:
        # zipfile answers damage with a dozen kinds of error.
        raise DataError(f"{name}, member {member!r}: damaged ({error}); get it anew.") from None
    if len(data) != entry.file_size:
        raise DataError(
            f"{name}, member {member!r}: does not hold the {entry.file_size:,} bytes it "
            "declares; get it anew."
        )
    return data


def open_zip(data: bytes, name: str) -> zipfile.ZipFile:
    """A zip file in memory; raises DataError when it is not one."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:
        # zipfile answers damage with a dozen kinds of error.
        raise DataError(f"{name} is not a whole zip file: {error}; get it anew.") from None


def read_npz(data: bytes, name: str) -> dict[str, Array]:
    """The arrays of an npz file by name, numbers only.

    Raises DataError for too many or repeated members, too many bytes, object arrays, other types
    than numbers, or a header that does not fit its data.
    """
    with open_zip(data, name) as archive:
        members = archive.namelist()
        if len(members) > MOST_MEMBERS or len(set(members)) < len(members):
            raise DataError(
                f"{name} has {len(members)} members, and at most {MOST_MEMBERS}, all different, "
                "are read; is it another file?"
            )
        if (total := sum(entry.file_size for entry in archive.infolist())) > LARGEST_NPZ:
            raise DataError(
                f"{name} declares {total:,} bytes and at most {LARGEST_NPZ:,} are read; divide it."
            )
        return {
            member.removesuffix(".npy"): read_npy(
                zip_member(archive, member, cap=LARGEST_NPZ, name=name), f"{name}, {member!r}"
            )
            for member in members
        }


def read_npy(data: bytes, name: str) -> Array:
    """One array of numbers in NumPy's npy format (versions 1 to 3), checked before it is built."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        raise DataError(f"{name} is not in NumPy's npy format; save it with numpy.save.")
    wide = data[6] > 1
    length = int.from_bytes(data[8 : 12 if wide else 10], "little")
    start = (12 if wide else 10) + length
    if length > LONGEST_NPY_HEADER or start > len(data):
        raise DataError(
            f"{name}: its header declares {length:,} bytes, and at most {LONGEST_NPY_HEADER:,} "
            "that are really there are read."
        )
    dtype, fortran, shape = _npy_header(data[start - length : start], name)
    count = math.prod(shape)
    if len(data) - start != count * dtype.itemsize:
        raise DataError(
            f"{name}: shape {shape} of {dtype} needs {count * dtype.itemsize:,} bytes and "
            f"{len(data) - start:,} are there; get it anew."
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")


def _npy_header(text: bytes, name: str) -> tuple[np.dtype[np.generic], bool, tuple[int, ...]]:
    try:
        header = ast.literal_eval(text.decode("latin1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        raise DataError(f"{name}: its npy header is not readable; get it anew.") from None
    if not isinstance(descr, str) or descr[:1] not in "<>|=" or descr[1:] not in NUMBERS:
        raise DataError(
            f"{name}: type {descr!r}, and only plain numbers are read, because objects in a file "
            "can run code; save plain arrays."
        )
    sides = shape if isinstance(shape, tuple) else (None,)
    if len(sides) > 4 or not all(type(side) is int and 0 <= side < 2**40 for side in sides):
        raise DataError(f"{name}: shape {shape!r} is not that of an array of images or labels.")
    return np.dtype(descr), bool(fortran), tuple(sides)

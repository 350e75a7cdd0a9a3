"""Archives: gzip, zip, npz and npy files, read under caps so that none can fill the memory."""

from __future__ import annotations

import io
import math
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shutil import copyfileobj
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.readers.values import NUMBERS

MIB = 2**20
FREE_OUTPUT = MIB
"""Up to this size a gzip file may inflate at any ratio: a short file of zeros is legitimate."""
LARGEST_RATIO = 200
"""MNIST's images deflate 4.7:1, blank ones about 1000:1, which is also DEFLATE's limit."""
CHUNK = MIB // 4
LARGEST_NPZ = 512 * MIB
MOST_MEMBERS = 16
LONGEST_NPY_HEADER = 10_000
LARGEST_DIRECTORY = MIB // 4
"""Bytes of the central directory of a zip file: zipfile needs ten times that in memory."""
END_RECORD = 22
HEAD = 64 * 1024
"""Bytes from which a file's format is recognised."""

DESCR = re.compile(rb"'descr': ?('[^']*'|\[)")
FORTRAN = re.compile(rb"'fortran_order': ?(True|False)")
SHAPE = re.compile(rb"'shape': ?(\([^()]*\)|[^,}]*)")
SIDES = re.compile(r"\(([0-9]{1,12}L?(, ?[0-9]{1,12}L?){0,3},?)?\)")
"""Up to four sides; Python 2 wrote an L after a number."""

CapOf: TypeAlias = Callable[[bytes], int]
"""From the first bytes of a file, the most bytes that it may have."""


def read_file(path: Path, cap: int, *, cap_of: CapOf | None = None) -> bytes:
    """Reads a regular file of at most `cap` bytes; the size is checked before reading.

    cap_of lowers the cap, or raises DataError, based on the first bytes.
    """
    try:
        status = path.stat()
        # Reading a pipe or a device might never end.
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path} is not an ordinary file; give the path of a data file.")
        if status.st_size == 0:
            raise DataError(f"{path} is empty; fetch or export it again.")
        _check_size(path, status.st_size, cap)
        with path.open("rb") as file:
            if cap_of:
                _check_size(path, status.st_size, cap_of(file.read(HEAD)))
                file.seek(0)
            # Not to the end: the file may be growing.
            return file.read(status.st_size)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; give the path of a data file or folder.") from None
    except (OSError, ValueError) as error:
        # ValueError: a path with a null byte. DataError is one too, and passes on.
        if isinstance(error, DataError):
            raise
        what = getattr(error, "strerror", None) or error
        raise DataError(f"{str(path)[:200]!r} cannot be read: {what}; check the path.") from None


def _check_size(path: Path, size: int, cap: int) -> None:
    if size > cap:
        raise DataError(f"{path} has {size:,} bytes and at most {cap:,} are read; split it.")


def gunzip(packed: bytes, cap: int, name: str, *, cap_of: CapOf | None = None) -> bytes:
    """Inflates one gzip member under two caps: `cap` bytes, and 200:1 after the first MiB.

    cap_of lowers the cap, or raises DataError, based on the first bytes.

    Raises DataError if a cap is exceeded, the stream is damaged or truncated, or bytes follow it.
    """
    inflater = zlib.decompressobj(31)
    out = io.BytesIO()  # grows in place: pieces would have to be joined, in twice the memory
    total, position, rest = 0, 0, b""
    try:
        while not inflater.eof:
            if not rest:
                rest = packed[position : position + CHUNK]
                position += len(rest)
                if not rest:
                    raise DataError(
                        f"{name} is cut short: its gzip stream has no end; fetch it again."
                    )
            piece = inflater.decompress(rest, CHUNK)
            rest = inflater.unconsumed_tail
            total += len(piece)
            if total and cap_of:
                cap, cap_of = cap_of(piece[:HEAD]), None
            out.write(piece)
            if total > cap:
                raise DataError(f"{name} inflates beyond {cap:,} bytes, the most that is read.")
            if total > FREE_OUTPUT and total > LARGEST_RATIO * position:
                raise DataError(
                    f"{name} inflates more than {LARGEST_RATIO}:1, which no picture data does; "
                    "it is refused as a gzip bomb."
                )
    except zlib.error as error:
        raise DataError(f"{name} is damaged: {error}; fetch it again.") from None
    if inflater.unused_data or position < len(packed):
        raise DataError(f"{name} has extra bytes after its gzip stream; fetch it again.")
    return out.getvalue()


def zip_member(
    archive: zipfile.ZipFile,
    member: str,
    *,
    cap: int,
    name: str,
    inspect: Callable[[bytes], object] = len,
) -> bytes:
    """Reads one zip member of at most `cap` bytes; `inspect` is first given its first bytes.

    Raises DataError for a member that is missing, encrypted, larger than declared or than `cap`,
    inflated more than 200:1 after the first MiB, damaged, or compressed by anything but DEFLATE:
    zipfile does not bound other methods while inflating.
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
            "stored or deflated members are read; save it again with numpy.savez_compressed."
        )
    if entry.file_size > cap:
        raise DataError(
            f"{name}, member {member!r}: declares {entry.file_size:,} bytes and at most {cap:,} "
            "are read."
        )
    if entry.file_size > max(FREE_OUTPUT, LARGEST_RATIO * entry.compress_size):
        raise DataError(
            f"{name}, member {member!r}: inflates more than {LARGEST_RATIO}:1, which no picture "
            "data does; it is refused as a zip bomb."
        )
    try:
        with archive.open(entry) as stream:
            inspect(stream.read(HEAD))
        with archive.open(entry) as stream:
            out = io.BytesIO()  # the stream ends after the declared size
            copyfileobj(stream, out, CHUNK)
        data = out.getvalue()
    except (DataError, MemoryError):
        raise
    except Exception as error:
        # zipfile raises a dozen kinds of error for damage.
        raise DataError(f"{name}, member {member!r}: damaged ({error}); fetch it again.") from None
    if len(data) != entry.file_size:
        raise DataError(
            f"{name}, member {member!r}: does not hold the {entry.file_size:,} bytes it "
            "declares; fetch it again."
        )
    return data


def open_zip(data: bytes, name: str) -> zipfile.ZipFile:
    """Opens a zip file in memory; DataError if it is not one, or lists too many members.

    It must end with its end record and no comment: otherwise zipfile would search for one.
    """
    end = data[-END_RECORD:]
    if len(end) < END_RECORD or end[:4] != b"PK\5\6" or end[-2:] != b"\0\0":
        raise DataError(f"{name} is not a whole zip file: its end is missing; fetch it again.")
    # A 64-bit end record, which files above 4 GiB need, could declare a larger list.
    wide = data[-END_RECORD - 20 : -END_RECORD].startswith(b"PK\6\7")
    if wide or (size := int.from_bytes(end[12:16], "little")) > LARGEST_DIRECTORY:
        raise DataError(
            f"{name}: its list of members has {'64-bit sizes' if wide else f'{size:,} bytes'}, and "
            f"at most {LARGEST_DIRECTORY:,} bytes are read; is it another file?"
        )
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except MemoryError:
        raise
    except Exception as error:
        # zipfile raises a dozen kinds of error for damage.
        raise DataError(f"{name} is not a whole zip file: {error}; fetch it again.") from None


def read_npz(data: bytes, name: str, names: Sequence[str] = ()) -> dict[str, Array]:
    """Reads the arrays of an npz file by name, numbers only.

    If names are given, it must hold exactly these arrays. Raises DataError for others, too many or
    repeated members, too many bytes, object arrays, types other than numbers, or a header that
    does not fit its data.
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
                f"{name} declares {total:,} bytes and at most {LARGEST_NPZ:,} are read; split it."
            )
        if sum(entry.compress_size for entry in archive.infolist()) > len(data):
            raise DataError(f"{name}: its members overlap; it is refused as a zip bomb.")
        _check_names([member.removesuffix(".npy") for member in members], names, name)
        arrays = {}
        for entry in archive.infolist():
            label = f"{name}, {entry.filename!r}"
            content = zip_member(
                archive,
                entry.filename,
                cap=LARGEST_NPZ,
                name=name,
                inspect=partial(_layout, size=entry.file_size, name=label),
            )
            arrays[entry.filename.removesuffix(".npy")] = read_npy(content, label)
        return arrays


def _check_names(there: list[str], names: Sequence[str], where: str) -> None:
    if names and (missing := [name for name in names if name not in there]):
        raise DataError(
            f"{where} lacks {', '.join(missing)}; save the four arrays under the names "
            f"{', '.join(names)}, as Keras' mnist.npz does."
        )
    if names and (others := [name for name in there if name not in names]):
        raise DataError(
            f"{where} also holds {others[0][:60]!r}; save {', '.join(names)} alone in a file."
        )


def read_npy(data: bytes, name: str) -> Array:
    """Reads one array of numbers in npy format (versions 1 to 3), checked before it is built."""
    start, dtype, fortran, shape = _layout(data, len(data), name)
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")


def _layout(
    data: bytes, size: int, name: str
) -> tuple[int, np.dtype[np.generic], bool, tuple[int, ...]]:
    """Layout of an npy file of `size` bytes: (offset of the values, dtype, Fortran order, shape).

    data is the whole file or its first HEAD bytes.
    """
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
    if size - start != count * dtype.itemsize:
        raise DataError(
            f"{name}: shape {shape} of {dtype} needs {count * dtype.itemsize:,} bytes and "
            f"{size - start:,} are there; fetch it again."
        )
    if not count:
        raise DataError(f"{name}: shape {shape} holds no values; fetch it again.")
    return start, dtype, fortran, shape


def _npy_header(text: bytes, name: str) -> tuple[np.dtype[np.generic], bool, tuple[int, ...]]:
    """Parses an npy header as NumPy writes it, without evaluating it as Python.

    Returns (dtype, Fortran order, shape).
    """
    found = [pattern.search(text) for pattern in (DESCR, FORTRAN, SHAPE)]
    if not text.startswith(b"{") or not all(found):
        raise DataError(f"{name}: its npy header is not readable; fetch it again.")
    descr, fortran, shape = (match[1].decode("latin1") for match in found if match)
    if descr[:2] not in ("'<", "'>", "'|", "'=") or descr[2:-1] not in NUMBERS:
        raise DataError(
            f"{name}: type {descr[:40]}, and only plain numbers are read, because objects in a "
            "file can run code; save plain arrays."
        )
    if not SIDES.fullmatch(shape):
        raise DataError(f"{name}: shape {shape[:40]} is not that of an array of images or labels.")
    sides = tuple(int(side) for side in re.findall("[0-9]+", shape))
    return np.dtype(descr[1:-1]), fortran == "True", sides

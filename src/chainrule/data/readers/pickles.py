"""Safe reader of `mnist.pkl.gz`: a pickle is a program, inspected before it is loaded.

`pickletools.genops` walks the opcodes and executes none. Only those that build numbers, text,
tuples, lists and NumPy arrays are allowed. Then an Unpickler runs whose `find_class` knows a few
names, each replaced by a stand-in from this file; NumPy's own constructors are never called, so
the bytes determine nothing but the values.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.readers.values import NUMBERS

ALLOWED = """
PROTO FRAME MARK STOP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG1 UNICODE BINUNICODE
SHORT_BINUNICODE BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BYTEARRAY8 TUPLE TUPLE1 TUPLE2
TUPLE3 EMPTY_TUPLE LIST EMPTY_LIST APPEND APPENDS GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT
MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD
"""
"""Enough for tuples, lists, numbers, text and NumPy arrays in protocols 0 to 5."""
OPCODES = frozenset(ALLOWED.split())
LARGEST_MEMO = 10_000
"""A 9-byte pickle with memo entry 40,000,000 takes 300 MB without looking up any class."""
MOST_PAIRS = 4
"""With a memo, a short pickle can repeat the same pair any number of times, each a copy."""
MOST_OPCODES = 150_000
"""A list of 70,000 labels takes 70,000; mnist.pkl.gz itself about a hundred."""


class _Dtype:
    """Stand-in for numpy.dtype: a number type from a fixed list, and its byte order."""

    def __init__(self, code: Any, *flags: object) -> None:
        text = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(text, str) or text.lstrip("<>|=") not in NUMBERS or len(text) > 3:
            raise DataError(f"an array of type {_shown(text)}, and only numbers are read")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise DataError("an array type with fields, and only plain numbers are read")
        self.dtype = np.dtype(order + self.dtype.str[1:])


class _Array:
    """Stand-in for numpy.ndarray; `values` is set once the bytes are checked against the shape."""

    values: Array

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, fortran, data = state
        self.values = _from_bytes(data, dtype, shape, "F" if fortran else "C")


def _from_bytes(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise DataError("an array without plain bytes, and objects are not read")
    sides = (shape,) if type(shape) is int else shape
    if not isinstance(sides, tuple) or len(sides) > 4:
        raise DataError("an array whose shape is not up to four whole numbers")
    if not all(type(side) is int and 0 <= side < 2**40 for side in sides):
        raise DataError("an array whose shape is not up to four whole numbers")
    if math.prod(sides) * dtype.dtype.itemsize != len(data):
        raise DataError(f"an array of shape {sides} with {len(data):,} bytes")
    return np.frombuffer(data, dtype.dtype).reshape(sides, order="F" if order == "F" else "C")


def _reconstruct(_kind: object, _shape: object, _code: object) -> _Array:
    # NumPy's own would allocate as much memory as the shape asks for.
    return _Array()


def _frombuffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    array = _Array()
    array.values = _from_bytes(data, dtype, shape, order)
    return array


def _encode(text: Any, encoding: object) -> bytes:
    if encoding not in ("latin1", b"latin1") or not isinstance(text, str):
        raise DataError(f"bytes in the encoding {_shown(encoding)}")
    return text.encode("latin1")


def _shown(value: object) -> str:
    # With a memo, a short pickle can nest lists whose repr has any length.
    return repr(value[:40]) if isinstance(value, str | bytes) else f"that is a {type(value)}"


GLOBALS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    # NumPy 1 and NumPy 2 spell the same two functions differently.
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
}


class _Unpickler(pickle.Unpickler):
    """Unpickler restricted to GLOBALS; never calls the original find_class, which imports."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self._left = 2 * len(data)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in GLOBALS:
            raise DataError(f"the name {module[:60]}.{name[:60]}")
        known = GLOBALS[module, name]
        return self._encode if known is _encode else known

    def _encode(self, text: Any, encoding: object) -> bytes:
        """Encodes at most twice the pickle's length: a memo could repeat one text many times."""
        self._left -= len(text)
        if self._left < 0:
            raise DataError("the same text encoded again and again")
        return _encode(text, encoding)


def scan(data: bytes, name: str) -> None:
    """Scans the opcodes of a pickle without running it.

    Raises DataError at the first opcode, global name or memo index that MNIST does not need, and
    for bytes after the end or a frame that ends within an operation: there the Unpickler would
    drop bytes and continue with ones that were not scanned.
    """
    end = frame = 0
    try:
        for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
            start = int(position or 0)
            if end <= frame < start or (opcode.name == "FRAME" and start < frame):
                raise DataError(f"{name} is refused unread: one of its frames ends too early.")
            if opcode.name == "FRAME":
                frame = start + 9 + int(argument or 0)
            if what := _unneeded(opcode.name, argument, count):
                raise DataError(
                    f"{name} is refused unread: a pickle can run code, and this asks for {what}."
                )
            end = start + 1
    except (DataError, MemoryError):
        raise
    except Exception as error:
        # pickletools raises several kinds; a stream it cannot parse is not a pickle.
        raise DataError(f"{name} is not a whole pickle: {error}; fetch it again.") from None
    if end != len(data):
        raise DataError(f"{name} has {len(data) - end:,} extra bytes at its end; fetch it again.")


def _unneeded(opcode: str, argument: Any, count: int) -> str | None:
    """The reason why MNIST does not need this opcode, in words; None if it does."""
    if opcode not in OPCODES:
        return f"the operation {opcode}"
    if opcode == "GLOBAL" and tuple(argument.split(" ", 1)) not in GLOBALS:
        return f"the name {argument.replace(' ', '.')}"
    if opcode.endswith(("PUT", "GET")) and argument > LARGEST_MEMO:
        return f"memo entry {argument:,}"
    if count >= MOST_OPCODES:
        return f"more than {MOST_OPCODES:,} operations"
    return None


def read_pickle(data: bytes, name: str) -> list[tuple[Array, Array]]:
    """Reads the (images, labels) pairs of a pickled tuple of pairs, as in mnist.pkl.gz.

    Raises DataError for anything else, before executing a byte of it.
    """
    scan(data, name)
    try:
        content = _Unpickler(data).load()
        if len(content) > MOST_PAIRS:
            raise DataError(f"{len(content):,} pairs of images and labels, and 2 or 3 are read")
        return [(_values(images), _values(labels)) for images, labels in content]
    except DataError as error:
        raise DataError(f"{name} is refused: it asks for {error}.") from None
    except MemoryError:
        raise
    except Exception:
        # Allowed opcodes in a meaningless order fail in many ways, all of them harmless.
        raise DataError(
            f"{name} does not hold pairs of images and labels as mnist.pkl.gz does."
        ) from None


def _values(item: Any) -> Array:
    if isinstance(item, _Array):
        return item.values
    # Some files store labels as a plain list. Nested lists are refused: with a memo, a short
    # pickle can make them arbitrarily large.
    if not isinstance(item, list | tuple) or not all(type(number) is int for number in item):
        raise DataError("labels that are neither an array nor a list of whole numbers")
    return np.array(item, dtype=np.int64)

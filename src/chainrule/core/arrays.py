"""Array types with shapes in the signature, and arrays aligned to cache lines.

`Float[Array, "N K"]` reads "floats, N rows, K columns". The tests check the shapes: they load
jaxtyping before this module. A user's process never loads it (it would add 0.1 s to every start);
there the annotation only means "an array".
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from typing import Annotated as Float
    from typing import Annotated as Int
    from typing import Annotated as UInt8

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
elif "jaxtyping" in sys.modules:
    from jaxtyping import Float, UInt8
    from jaxtyping import Integer as Int

    Array = np.ndarray
else:
    Array = np.ndarray

    class _Shaped:
        def __class_getitem__(cls, item: object) -> type:
            return np.ndarray

    class Float(_Shaped):
        """Floats of any width; stands in for jaxtyping.Float."""

    class Int(_Shaped):
        """Integers of any width; stands in for jaxtyping.Int."""

    class UInt8(_Shaped):
        """Bytes; stands in for jaxtyping.UInt8."""


Views: TypeAlias = list[Float[Array, "..."]]
"""Views into one flat vector, each with its own shape."""

Target: TypeAlias = Int[Array, " N"] | Float[Array, "N K"]
"""What a network is to answer: labels, one integer an example, or values, K floats an example."""

ALIGNMENT = 64
"""Bytes: one cache line, one AVX-512 register."""


def aligned_zeros(size: int, dtype: Any) -> Float[Array, " size"]:
    """A vector of zeros whose first element lies on a 64-byte boundary."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size * item + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size * item].view(dtype)


def aligned_size(size: int, dtype: Any) -> int:
    """`size` rounded up so that the next view starts on a 64-byte boundary."""
    step: int = ALIGNMENT // np.dtype(dtype).itemsize
    return -(-size // step) * step


__all__ = ["ALIGNMENT", "Array", "Float", "Int", "Target", "UInt8", "Views"]
__all__ += ["aligned_size", "aligned_zeros"]

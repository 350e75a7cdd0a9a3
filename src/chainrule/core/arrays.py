"""Arrays with their shapes in the signature, and arrays that start where the processor likes it.

`Float[Array, "N K"]` reads "floats, N rows, K columns". The shapes are checked while testing:
there jaxtyping is loaded before this module, and takes over. A user's process never loads it
(it would cost 0.1 s at each start), and there the annotation means nothing more than "an array".
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
        """Floats of any width, stands in for jaxtyping.Float."""

    class Int(_Shaped):
        """Integers of any width, stands in for jaxtyping.Int."""

    class UInt8(_Shaped):
        """Bytes, stands in for jaxtyping.UInt8."""


Views: TypeAlias = list[Float[Array, "..."]]
"""Parts of one flat vector, each in a shape of its own."""

ALIGNMENT = 64
"""Bytes: one cache line, one AVX-512 register."""


def aligned_zeros(size: int, dtype: Any) -> Float[Array, " size"]:
    """A vector of zeros whose first element lies on a 64-byte boundary."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size * item + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size * item].view(dtype)


def aligned_size(size: int, dtype: Any) -> int:
    """`size` rounded up, so that whatever follows starts on a 64-byte boundary again."""
    step: int = ALIGNMENT // np.dtype(dtype).itemsize
    return -(-size // step) * step


__all__ = ["ALIGNMENT", "Array", "Float", "Int", "UInt8", "Views", "aligned_size", "aligned_zeros"]

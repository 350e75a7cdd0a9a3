"""Array types with shapes in the signature, and arrays aligned to cache lines.

`Float[Array, "N K"]` reads "floats, N rows, K columns". The tests check the shapes: they load
jaxtyping before this module. A user's process never loads it (it would add 0.1 s to every start);
there the annotation only means "an array".
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

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


@runtime_checkable
class CSR(Protocol):
    """Sparse matrix by rows, such as SciPy's csr_array; SciPy itself is never imported.

    Row i has the values data[indptr[i]:indptr[i + 1]] in the columns `indices` of the same range.
    """

    format: str
    data: Array
    indices: Array
    indptr: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        ...

    @property
    def T(self) -> Any:
        """The transpose."""
        ...

    def __getitem__(self, rows: Any, /) -> CSR: ...

    def __matmul__(self, other: Array, /) -> Array: ...

    def astype(self, dtype: Any, /) -> CSR:
        """The same values in another precision."""
        ...


Inputs: TypeAlias = Float[Array, "N n"] | CSR
"""Inputs of a network, one example a row."""


def is_sparse(X: object) -> TypeGuard[CSR]:
    """True for a sparse matrix by rows."""
    return not isinstance(X, np.ndarray) and getattr(X, "format", None) == "csr"


def values_of(X: Inputs) -> Array:
    """All values of a matrix; of a sparse one those that it holds."""
    return X if isinstance(X, np.ndarray) else X.data


def as_inputs(X: Any, dtype: Any) -> Any:
    """Inputs in this precision: a sparse matrix by rows as one, all else as an array."""
    return X.astype(dtype) if is_sparse(X) else np.asarray(X, dtype)


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


__all__ = ["ALIGNMENT", "CSR", "Array", "Float", "Inputs", "Int", "Target", "UInt8", "Views"]
__all__ += ["aligned_size", "aligned_zeros", "as_inputs", "is_sparse", "values_of"]

"""Conversion of what a notebook has at hand into the arrays that training takes.

Lists, data frames and numbers of other precision are converted; bytes are refused, since pixels
want to be divided by 255, which no conversion can know.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.arrays import Array, is_sparse
from chainrule.data.dataset import Dataset
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network


def as_examples(data: Any, network: Network, *, loss: str) -> tuple[Any, ...]:
    """(inputs, target) or (inputs, target, weights) of a Dataset's training part, or of such a
    tuple, in the network's precision.

    Raises ValueError, naming the remedy, for what cannot be converted without a guess.
    """
    parts = data.train if isinstance(data, Dataset) else data
    if not isinstance(parts, tuple) or len(parts) not in (2, 3):
        raise ValueError(
            f"data of type {type(data).__name__}: give a Dataset, (X, y) or (X, y, weights)"
        )
    inputs, target, *weights = parts
    return (
        as_inputs(inputs, network),
        as_target(target, network, loss=loss),
        *(np.asarray(each, network.dtype) for each in weights),
    )


def as_inputs(inputs: Any, network: Network) -> Any:
    """Inputs (N, n) in the network's precision; sparse ones stay sparse."""
    if is_sparse(inputs):
        return inputs.astype(network.dtype)
    array = _as_array(inputs, "X")
    if array.dtype == np.uint8:
        raise ValueError(
            "X is uint8: pixels are trained on as fractions, so divide them, X / np.float32(255)"
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"X holds {_kind(array)}: give numbers; words become some by chainrule's reader of "
            "tables, cr.load(path=..., label=...)"
        )
    return np.ascontiguousarray(array, network.dtype)


def as_target(target: Any, network: Network, *, loss: str) -> Array:
    """Labels (N,) as whole numbers, or values (N, K) in the network's precision."""
    array = _as_array(target, "y")
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"y holds {_kind(array)}: give labels 0 .. {network.widths[-1] - 1}, such as those of "
            "np.unique(y, return_inverse=True), or numbers"
        )
    row = LOSSES[loss]
    if array.ndim == 1 and row.labels and not (row.values and network.widths[-1] == 1):
        if array.dtype.kind == "f":
            if (array != np.rint(array)).any():
                raise ValueError(
                    f"y holds {array[array != np.rint(array)][0]:g}, and labels are whole numbers; "
                    "for values give loss='squared-error'"
                )
            return array.astype(np.int64)
        return array.astype(np.int64) if array.dtype.kind == "b" else array
    values: Array = np.ascontiguousarray(array.reshape(len(array), -1), network.dtype)
    return values


def _as_array(values: Any, name: str) -> Array:
    """An array of lists, data frames and series."""
    try:
        array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}; give rows of one length") from None
    found: Array = array
    return found


def _kind(array: Array) -> str:
    return "words" if array.dtype.kind in "UO" else f"numbers of type {array.dtype}"

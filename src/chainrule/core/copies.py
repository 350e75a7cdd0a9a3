"""Copies and pickles of objects that hold views, scratch memory, or memory of others.

NumPy copies a view as an array of its own, and what is then written into the copied vector no
longer shows in it. So copies and pickles keep vectors alone; the rest is made again from them.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import numpy as np

from chainrule.core.arrays import aligned_zeros


class Rebuilt:
    """Base of objects that own vectors: their copies share no memory, their pickles have no views.

    `copy.copy`, `copy.deepcopy` and `pickle` leave out the attributes in `derived`, put the vectors
    into aligned memory of the copy's own, and call `_derive`.
    """

    derived: ClassVar[tuple[str, ...]] = ()
    """Attributes that `_derive` makes from the others."""

    def _derive(self) -> None:
        """Makes the attributes in `derived`."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self.derived}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        vars(self).update({name: owned(value) for name, value in kept.items()})
        self._derive()


class Bound:
    """Base of objects that work in the memory of a network: neither copied nor pickled."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} works in the memory of a network, and a copy of it would not: "
            "copy the network, and make another one from that"
        )


def owned(value: Any) -> Any:
    """An array, or each array of a dict, in aligned memory of its own; anything else as it is.

    Python calls `__setstate__` with the original's arrays (`copy.copy`), with its memory (pickle's
    out-of-band buffers), or with memory at any address.
    """
    if type(value) is dict:
        return {name: owned(each) for name, each in value.items()}
    if not isinstance(value, np.ndarray) or value.dtype.hasobject:
        return value
    twin = aligned_zeros(value.size, value.dtype.newbyteorder("=")).reshape(value.shape)
    twin[...] = value
    return twin

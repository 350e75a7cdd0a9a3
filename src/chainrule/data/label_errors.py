"""Label errors: the fifteen test labels of MNIST that human reviewers did not confirm.

Northcutt, Athalye and Mueller 2021, "Pervasive label errors in test sets destabilize machine
learning benchmarks" (arXiv:2103.14749), showed 100 suspicious test images to five people each:
does it show the given label, the one proposed instead, or neither? These are the images where
fewer than three of five chose the label (github.com/cleanlab/label-errors, mturk/mnist_mturk.json).
They serve for a second figure next to the accuracy. Never train on them or select a model by it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chainrule.core.arrays import Array, Int
from chainrule.data.catalog import SOURCES
from chainrule.data.dataset import Dataset


class Dispute(NamedTuple):
    """A disputed label, the one proposed instead, and the votes of five people."""

    given: int
    proposed: int
    votes: tuple[int, int, int]
    """For the given label, for the proposed one, for neither."""


DISPUTED: dict[int, Dispute] = {
    947: Dispute(8, 9, (0, 5, 0)),
    1621: Dispute(0, 6, (2, 3, 0)),
    1901: Dispute(9, 4, (2, 3, 0)),
    2130: Dispute(4, 9, (2, 2, 1)),
    2462: Dispute(2, 0, (0, 4, 1)),
    2597: Dispute(5, 3, (0, 4, 1)),
    2654: Dispute(6, 1, (0, 2, 3)),
    3520: Dispute(6, 4, (2, 0, 3)),
    3558: Dispute(5, 0, (1, 4, 0)),
    5937: Dispute(5, 3, (1, 3, 1)),
    6651: Dispute(0, 6, (0, 5, 0)),
    6783: Dispute(1, 6, (2, 3, 0)),
    8527: Dispute(4, 9, (2, 2, 1)),
    9679: Dispute(6, 3, (2, 0, 3)),
    9729: Dispute(5, 6, (2, 3, 0)),
}
"""Index among MNIST's 10,000 test images, from 0 -> its Dispute."""


def disputed(data: Dataset) -> Int[Array, " D"]:
    """Indices of the disputed test labels; none unless the test part is MNIST's.

    MNIST is recognised by its checksums, whatever its source or name.
    """
    published = SOURCES["mnist"].arrays or {}
    own = all(data.checksums[part] == published[part] for part in ("test_images", "test_labels"))
    return np.array(sorted(DISPUTED) if own else [], np.int64)

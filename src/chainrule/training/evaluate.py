"""Evaluation: mean loss and accuracy of a network, and the check that examples fit it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.blas import cores, one_blas_thread
from chainrule.core.threads import ThreadTeam
from chainrule.data.batches import Gather, Rows, batch_rows
from chainrule.nn.losses import LOSSES, LossFunction, check_labels
from chainrule.nn.network import Network, Workspaces

Pair: TypeAlias = tuple[Float[Array, "_ n"], Int[Array, " _"]]
"""(images, labels)"""

EVALUATE_ROWS = 1000


def evaluate(
    network: Network, examples: Pair, *, loss: str | LossFunction = "softmax-cross-entropy"
) -> tuple[float, float]:
    """Evaluates the network on (images, labels): (mean loss, accuracy 0..1).

    Raises ValueError for examples that do not fit it.
    """
    check_examples(network, *examples)
    return measure(network, examples, loss=loss)


def measure(
    network: Network, examples: Pair, *, loss: str | LossFunction, threads: int = 0
) -> tuple[float, float]:
    """(mean loss, accuracy 0..1) on examples that are known to fit the network.

    To the same bits on any number of threads (0: all cores), and while other threads train.
    """
    function = LOSSES[loss].function if isinstance(loss, str) else loss

    def work(_worker: int, parts: Sequence[Rows]) -> list[tuple[float, int]]:
        workspaces, gather = Workspaces(network), Gather(*examples)
        measured = []
        for rows in parts:
            X, y = gather(rows)
            workspace = workspaces[len(y)]
            outputs = network.forward(X, workspace)
            right = int(np.count_nonzero(outputs.argmax(axis=1) == y))
            measured.append((function(outputs, y, workspace.loss)[0] * len(y), right))
        return measured

    batches = list(batch_rows(len(examples[1]), EVALUATE_ROWS))
    # A network that diverged overflows here: its loss, inf or nan, shows it.
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with ThreadTeam(min(threads or cores(), len(batches))) as team, one_blas_thread(), ignored:
        shares = team.share(batches, work)
    in_order = [shares[i % team.size][i // team.size] for i in range(len(batches))]
    total, right = sum(loss for loss, _ in in_order), sum(right for _, right in in_order)
    return total / len(examples[1]), right / len(examples[1])


def check_examples(network: Network, images: Array, labels: Array) -> None:
    """Raises ValueError, naming value, rule and remedy, unless the examples fit the network."""
    inputs, classes = network.widths[0], network.widths[-1]
    for what, array in (("images", images), ("labels", labels)):
        if not isinstance(array, np.ndarray):
            raise ValueError(
                f"{what} are of type {type(array).__name__}: give a NumPy array, np.asarray({what})"
            )
    if images.ndim != 2 or images.shape[1] != inputs:
        raise ValueError(
            f"images have shape {images.shape}: layer 1 takes {inputs} inputs, "
            f"so give (N, {inputs}), one example a row"
        )
    if images.dtype != network.dtype:
        raise ValueError(
            f"images are {images.dtype}, the network is {network.dtype}: "
            f"convert them, images.astype('{network.dtype}')"
        )
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"{len(images)} images and {len(labels)} labels: give one label an image")
    check_labels(labels, classes)
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(images.sum(dtype=np.float64))
    if not isfinite(total) and len(bad := np.argwhere(~np.isfinite(images))):
        row, column = bad[0]
        raise ValueError(
            f"image {row} has the value {images[row, column]} at input {column}: "
            "every input is a finite number; repair or leave out that example"
        )

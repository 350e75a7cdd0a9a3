"""Objective as a function: loss and gradient of a network on all its examples, without a step.

    loss, gradient = loss_and_gradient(network, (X, y))

For optimizers that are not ours, such as L-BFGS, which move `network.parameters` and ask again:

    with objective(network, (X, y), loss="squared-error") as value_and_gradient:
        loss, gradient = value_and_gradient()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.blas import one_blas_thread
from chainrule.core.threads import ThreadTeam
from chainrule.data.batches import ExampleArrays
from chainrule.nn.losses import LossFunction, loss_function
from chainrule.nn.network import Network
from chainrule.training.checks import check_training
from chainrule.training.microbatches import Microbatches, team_size
from chainrule.training.options import Options
from chainrule.training.step import Objective

ValueAndGradient: TypeAlias = Callable[[], tuple[float, Float[Array, " P"]]]
"""() -> (loss, gradient) at the network's parameters; the gradient is valid until the next call"""


def loss_and_gradient(
    network: Network,
    examples: ExampleArrays,
    *,
    loss: str | LossFunction = Options.loss,
    l2: float = Options.l2,
    label_smoothing: float = Options.label_smoothing,
    rng: np.random.Generator | None = None,
    threads: int = Options.threads,
) -> tuple[float, Float[Array, " P"]]:
    """(what `train` minimises, its gradient by `network.parameters`) on all examples at once.

    The examples are those of `train`, weights included. A network with dropout, noise or batch
    normalisation needs `rng`, and is then in training mode. Raises ValueError for what does not
    fit.
    """
    with objective(
        network, examples, loss=loss, l2=l2, label_smoothing=label_smoothing, rng=rng,
        threads=threads,
    ) as value_and_gradient:  # fmt: skip
        value, gradient = value_and_gradient()
    return value, gradient.copy()


@contextmanager
def objective(
    network: Network,
    examples: ExampleArrays,
    *,
    loss: str | LossFunction = Options.loss,
    l2: float = Options.l2,
    label_smoothing: float = Options.label_smoothing,
    rng: np.random.Generator | None = None,
    threads: int = Options.threads,
) -> Iterator[ValueAndGradient]:
    """A function of no arguments that gives `loss_and_gradient` again and again, in one memory.

    Each call draws the same random numbers. Its threads end with the block.
    """
    options = Options(l2=l2, label_smoothing=label_smoothing, threads=threads)
    check_training(
        network, examples, options, loss=loss, rng=rng, validation=None, distortion=None, shape=None
    )
    rows = slice(0, len(examples[1]))
    with ThreadTeam(team_size(network, rows.stop, threads)) as team, one_blas_thread():
        drawing = rng if network.has_training_mode else None
        microbatches = Microbatches(network, examples, team, rng=drawing)
        weight = microbatches.weight(rows)
        whole = Objective(
            network,
            microbatches,
            loss=partial(loss_function(loss), label_smoothing=label_smoothing),
            l2=l2,
        )

        def value_and_gradient() -> tuple[float, Float[Array, " P"]]:
            losses, gradient = whole(rows, weight, 0)
            return losses.objective, gradient

        yield value_and_gradient

"""Fitting in one call: `cr.fit(network, data, epochs=5, seed=0)` trains with a progress bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.cli.progress import shown
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.notebook.convert import as_examples
from chainrule.notebook.history import History
from chainrule.training.train import train


def fit(
    network: Network,
    data: Any,
    *,
    epochs: int = 5,
    seed: int = 0,
    validation: Any = None,
    loss: str = "",
    quiet: bool = False,
    **options: Any,
) -> History:
    """Trains `network` in place and returns its history; shows its progress on the way.

    data        a Dataset, of which the training part is used, or (X, y) or (X, y, weights): arrays,
                lists, data frames, sparse rows; numbers are brought into the network's precision
    validation  the same, measured after each epoch, never trained on
    loss        by default the one that fits the network's link: softmax cross-entropy of classes,
                squared error of values
    options     further keywords of `train`, such as batch_size, learning_rate, patience

    An interruption (Ctrl-C) ends it with the epochs so far; the network keeps what it has learned.
    Raises ValueError, with the remedy, for what does not fit.
    """
    loss = loss or next(
        name for name, row in LOSSES.items() if (row.output, row.link) == ("identity", network.link)
    )
    examples = as_examples(data, network, loss=loss)
    held_out = None if validation is None else as_examples(validation, network, loss=loss)
    passes = train(
        network, examples, rng=np.random.default_rng(seed), epochs=epochs, loss=loss,
        validation=held_out, **options,
    )  # fmt: skip
    done = []
    try:
        for epoch in shown(passes, epochs, quiet=quiet):
            done.append(epoch)
    except KeyboardInterrupt:
        pass
    return History(tuple(done), seed, len(examples[1]))

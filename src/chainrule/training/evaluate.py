"""Evaluation: mean loss and score of a network on examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.blas import cores, one_blas_thread
from chainrule.core.threads import ThreadTeam
from chainrule.data.batches import ExampleArrays, Gather, Rows, batch_rows
from chainrule.nn.activations import LINKS
from chainrule.nn.losses import LossFunction, loss_function, value_and_gradient
from chainrule.nn.network import Network, Workspaces
from chainrule.training.checks import check_examples, check_link
from chainrule.training.scores import SCORES, check_score, score_of

EVALUATE_ROWS = 1000


def evaluate(
    network: Network,
    examples: ExampleArrays,
    *,
    loss: str | LossFunction = "softmax-cross-entropy",
    score: str | None = None,
) -> tuple[float, float]:
    """Evaluates the network on (inputs, target) or (inputs, target, weights): (mean loss, score).

    The score goes with the loss: accuracy 0..1 on labels, else see `training.scores`; or it is the
    one asked for. Raises ValueError for examples that do not fit the network, or the loss.
    """
    check_examples(network, examples, loss=loss)
    check_link(network, loss, examples[1])
    if score is not None:
        check_score(score, examples[1])
    return measure(network, examples, loss=loss, score=score)


def measure(
    network: Network,
    examples: ExampleArrays,
    *,
    loss: str | LossFunction,
    score: str | None = None,
    threads: int = 0,
) -> tuple[float, float]:
    """(mean loss, score) on examples that are known to fit the network.

    To the same bits on any number of threads (0: all cores), and while other threads train.
    """
    function, target = loss_function(loss), examples[1]
    row = SCORES[score or score_of(loss, target)]
    link = LINKS[network.link].forward

    def work(_worker: int, parts: Sequence[Rows]) -> list[tuple[float, int | float, Array]]:
        workspaces, gather = Workspaces(network), Gather(*examples)
        measured = []
        for rows in parts:
            X, y, weights = gather(rows)
            workspace = workspaces[len(y)]
            outputs = network.forward(X, workspace)
            weight = len(y) if weights is None else float(np.add.reduce(weights))
            loss, _ = value_and_gradient(function, outputs, y, workspace.loss, weights)
            predictions = link(outputs, np.empty_like(outputs)) if row.linked else outputs
            terms = row.terms(predictions, y)
            scored = terms.sum(axis=0) if weights is None else weights.astype(np.float64) @ terms
            measured.append((loss * weight, weight, scored))
        return measured

    batches = list(batch_rows(len(target), EVALUATE_ROWS))
    # A network that diverged overflows here: its loss, inf or nan, shows it.
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    with ThreadTeam(min(threads or cores(), len(batches))) as team, one_blas_thread(), ignored:
        shares = team.share(batches, work)
        in_order = [shares[i % team.size][i // team.size] for i in range(len(batches))]
        losses, weights, scored = (sum(parts) for parts in zip(*in_order, strict=True))
        given = examples[2] if len(examples) == 3 else None
        return losses / weights, row.finish(scored / weights, target, given)

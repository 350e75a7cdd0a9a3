"""Learning: did training come to more than guessing, or does its ending only look good?

A run may do all its epochs with finite numbers and its network know nothing. Each function gives
one sentence, empty where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log
from typing import Any

import numpy as np

from chainrule.evaluation.assessment import Assessment, beats_guessing, commonest
from chainrule.experiments.job import Job
from chainrule.training.evaluate import measure
from chainrule.training.train import Epoch

FELL = 0.99
"""A loss has fallen if it ends below this part of the first epoch's."""
FAR = 10.0
"""A loss above this many times that of guessing has blown up, even if it was higher before."""
LONGEST = 500
"""Characters of a warning that a file brings: ours take 200."""
SEARCH = "try another learning rate (chainrule train --find-lr) or more epochs"


def shortfall(job: Job, history: Sequence[Epoch], found: Assessment) -> str:
    """Sentence about a trained network that learned nothing, or not enough, with the remedy.

    Its loss and accuracy on the training images are measured only where the test results `found` or
    the history give reason to.
    """
    if not history:
        return ""
    first, last, limit = history[0].loss, history[-1].loss, loss_of_guessing(job)
    falling = len(history) == 1 or last < FELL * first
    if found.beats_guessing and falling and last <= limit:
        return ""
    labels = job.train[1]
    loss, accuracy = measure(job.network, job.train, loss=job.loss)
    ends = f"its loss on the {len(labels):,} {job.noun} it trained on ends at {loss:.4g}"
    bar = "" if limit == inf else f" (guessing: {limit:.4g})"
    if loss > min(FAR * limit, first / FELL):
        rate = float(f"{job.settings.learning_rate / 10:.0e}")
        return f"{ends}, after {first:.4g} in its first epoch{bar}: try a learning rate of {rate:g}"
    if loss > min(limit, FELL * first):
        return f"{ends}, after {first:.4g} in its first epoch{bar}: {SEARCH}"
    if found.beats_guessing:
        return ""
    share = 100 * commonest(labels)
    right = f"{100 * accuracy:.2f} % of the {len(labels):,} {job.noun} it trained on are right"
    if not beats_guessing(round(accuracy * len(labels)), labels):
        return f"{right}, no more than of its commonest class ({share:.2f} %): {SEARCH}"
    return f"{right}, so it knows these and no others: try more {job.noun}, or a smaller network"


def loss_of_guessing(job: Job) -> float:
    """Loss of answering every class with probability 1/K: log K for the softmax cross-entropy.

    Infinite where the outputs for such an answer are unknown.
    """
    network = job.network
    K = network.widths[-1]
    outputs = {"softmax": 0.0, "sigmoid": -log(max(K - 1, 1)), "identity": 1 / K}
    if network.link not in outputs:
        return inf
    # One example of each class, as the quirks of an article take no weights.
    return float(job.loss(np.full((K, K), outputs[network.link]), np.arange(K))[0])


def caveat(summary: Mapping[str, Any]) -> str:
    """Sentence about a saved network whose training did not end well, from its model's summary."""
    ending, warning = summary.get("ending"), summary.get("warning")
    parts = [_ENDED[ending]] if isinstance(ending, str) and ending in _ENDED else []
    parts += [_cut(warning)] if isinstance(warning, str) and warning else []
    return "; ".join(parts)


def _cut(text: str) -> str:
    """The text, of which a stranger's file may hold a million characters, in LONGEST of them."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


_ENDED = {
    "diverged": "its training diverged, and these are its last good weights",
    "interrupted": "its training was interrupted",
    "stopped": "its training was stopped by hand",
}

"""Article 2, Q. Wang: 150 iterations on all 60,000 images, a table row at each tenth.

"Building Your First Neural Network From Scratch: A Step-by-Step Guide with the MNIST Dataset".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chainrule.articles.article import Ablation, Article, Break
from chainrule.articles.claims import Claim, exact
from chainrule.articles.running import Effort, Recorder
from chainrule.core.arrays import Array
from chainrule.data.dataset import Dataset
from chainrule.experiments.job import Job, prepare
from chainrule.experiments.recipes import RECIPES
from chainrule.nn.loss_buffers import Buffers

TANH_TABLE = {
    0: "0.230083 13.260000",
    10: "0.204155 40.781667",
    20: "0.153983 47.766667",
    30: "0.118734 67.136667",
    40: "0.096660 73.488333",
    50: "0.083073 77.815000",
    60: "0.072998 80.786667",
    70: "0.115302 60.456667",
    80: "0.061357 84.006667",
    90: "0.060022 84.413333",
    100: "0.058777 84.738333",
    110: "0.057598 85.070000",
    120: "0.056478 85.361667",
    130: "0.055412 85.630000",
    140: "0.054397 85.903333",
}
"""Cost and accuracy (%) on the 60,000 training images, before the step."""

TANH_FIRST_TEST_IMAGE = "7"


def claims(data: Dataset, effort: Effort, recorder: Recorder) -> Iterator[Claim]:
    """Claims on the table, row by row; quick: its first three rows."""
    settings = RECIPES["tanh-16-16"]
    if effort.quick:
        settings = replace(settings, epochs=21)
    recorder.plan(settings, data)
    job, right = _watched(prepare(settings, data))
    rows = []
    for epoch in recorder.run(f"seed {settings.seed}", job):
        rows.append((epoch.loss, 100 * sum(right) / len(job.train[1])))
        right.clear()
    for iteration, row in TANH_TABLE.items():
        if iteration < settings.epochs:
            yield exact(
                f"iteration {iteration}: cost, accuracy %", row, np.array(rows[iteration]),
                note="" if iteration else "learning rate 0.5; the text says 1",
            )  # fmt: skip
    if not effort.quick:
        predicted = job.network.predict(job.test[0][:1])
        yield exact("first test image", TANH_FIRST_TEST_IMAGE, predicted)


def _watched(job: Job) -> tuple[Job, list[int]]:
    """Job whose loss also counts the correct predictions before each step."""
    right: list[int] = []

    def loss(
        logits: Array, labels: Array, buffers: Buffers | None = None, *, label_smoothing: float = 0
    ) -> tuple[float, Array]:
        right.append(int(np.count_nonzero(logits.argmax(axis=1) == labels)))
        return job.loss(logits, labels, buffers, label_smoothing=label_smoothing)

    return replace(job, loss=loss), right


ARTICLE = Article(
    number=2,
    recipe="tanh-16-16",
    title="Building Your First Neural Network From Scratch, Q. Wang",
    claims=claims,
    ablations={
        "global-maximum": Ablation(
            "softmax shifted by the batch's maximum", {"loss": "softmax-cross-entropy"}
        ),
        "high-learning-rate": Ablation(
            "a rate of 0.5 that overshoots at iteration 70, then 0.1",
            {"learning_rate": 0.3, "schedule": "constant"},
        ),
        "narrow-weights": Ablation("0.1 N(0, 1) weights", {"draw": "", "initializer": "glorot"}),
    },
    breaks=(
        Break(
            "--learning-rate 20 --schedule constant --epochs 20",
            "each step overshoots: the loss rises from 0.23 to above 1, and the network guesses",
            at_most=20.0,
        ),
        Break(
            "--layers 784,16,16,16,16,16,10 --epochs 20",
            "five layers of 0.1 N(0, 1) pass on ever less: the loss stays at 0.23, as for guessing",
            at_most=20.0,
        ),
        Break(
            "--l2 10 --epochs 20",
            "rate times penalty is 5, above 2, so that weights grow each step: the softmax that is "
            "shifted by the batch's maximum divides 0 by 0 within ten steps, exit code 1",
        ),
    ),
)

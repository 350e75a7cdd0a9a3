"""Article 5, "MNIST digits classification with Deep Learning using Python and Numpy".

1,000 iterations on all 60,000 images; it shows a falling curve and prints no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chainrule.articles.article import Ablation, Article, Break
from chainrule.articles.claims import Claim
from chainrule.articles.running import Effort, Recorder, falls
from chainrule.data.dataset import Dataset
from chainrule.experiments.recipes import RECIPES


def claims(data: Dataset, effort: Effort, recorder: Recorder) -> Iterator[Claim]:
    """Claim that the cost falls."""
    settings = RECIPES["relu-50-50-50"]
    if effort.quick:
        few = replace(settings, epochs=10)
        yield falls("cost over 10 iterations", few, data, recorder, every=3)
        return
    seeds = range(effort.seeds or ARTICLE.seeds)
    claim = "cost, at each hundredth iteration"
    yield falls(claim, settings, data, recorder, every=100, seeds=seeds)


ARTICLE = Article(
    number=5,
    recipe="relu-50-50-50",
    title="MNIST digits classification with Deep Learning using Python and Numpy",
    claims=claims,
    ablations={
        "unshifted-softmax": Ablation("exp of raw logits", {"loss": "softmax-cross-entropy"}),
        "low-learning-rate": Ablation("a rate of 0.005", {"learning_rate": 0.1}),
    },
    breaks=(
        Break(
            "--learning-rate 5 --epochs 100",
            "after two steps exp of the logits is infinite, and so is the loss, exit code 1",
        ),
        Break(
            "--activation sigmoid --epochs 100",
            "the gradient shrinks in each sigmoid layer: the loss stays above 2.3, as for guessing",
            at_most=20.0,
        ),
        Break(
            "--max-norm 0.0001 --epochs 100",
            "the gradient is cut to nothing: in 100 steps the loss falls by 0.0001",
            at_most=20.0,
        ),
    ),
)

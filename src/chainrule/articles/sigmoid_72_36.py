"""Article 4, "MNIST Neural Network From Scratch": 500 iterations on pixels 0..255, without a seed.

Its listing takes the first 10,000 training images, and prints 11.84 and 17.35 % from a run of one
iteration. All 60,000 images reproduce the figures of its text; 10,000 do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chainrule.articles.article import Ablation, Article, Break
from chainrule.articles.claims import NOT_JUDGED, Claim, inside
from chainrule.articles.running import Effort, Recorder, accuracy, falls
from chainrule.data.dataset import Dataset
from chainrule.experiments.recipes import RECIPES
from chainrule.experiments.settings import Settings

ACCURACY = {"train": 92.9, "test": 91.1}
"""In percent, after 500 iterations; no seed."""


def claims(data: Dataset, effort: Effort, recorder: Recorder) -> Iterator[Claim]:
    """Claims on the accuracies with all images, held to their spread; beside them the listing's."""
    listing = RECIPES["sigmoid-72-36"]
    if effort.quick:
        few = replace(listing, epochs=20)
        yield falls("cost over 20 iterations", few, data, recorder, every=5)
        return
    whole, seeds = replace(listing, examples=0), effort.seeds or ARTICLE.seeds
    for settings in (whole, listing):
        recorder.plan(settings, data, runs=seeds)
    found = _accuracies("all images", whole, seeds, data, recorder)
    for part, stated in ACCURACY.items():
        yield inside(
            f"accuracy % on {part}", stated, found[part], digits=1,
            note="trained on all 60,000 images; the listing takes 10,000",
        )  # fmt: skip
    found = _accuracies("10,000 images", listing, seeds, data, recorder)
    for part, stated in ACCURACY.items():
        yield replace(
            inside(
                f"accuracy % on {part}, the listing's 10,000 images", stated, found[part],
                digits=1, note="the article's figures do not come from its listing",
            ),
            verdict=NOT_JUDGED,
        )  # fmt: skip


def _accuracies(
    what: str, settings: Settings, seeds: int, data: Dataset, recorder: Recorder
) -> dict[str, list[float]]:
    """Accuracies in percent, for each part and seed."""
    found: dict[str, list[float]] = {part: [] for part in ACCURACY}
    for seed in range(seeds):
        job = recorder.train(f"{what}, seed {seed}", replace(settings, seed=seed), data)
        for part, values in found.items():
            values.append(accuracy(job, part))
    return found


ARTICLE = Article(
    number=4,
    recipe="sigmoid-72-36",
    title="MNIST Neural Network From Scratch",
    claims=claims,
    seeds=5,
    ablations={
        "scalar-bias-gradient": Ablation(
            "one bias gradient for a whole layer", {"scalar_bias_gradient": False}
        ),
        "unscaled-pixels": Ablation("pixels 0..255 saturate the units", {"pixel_divisor": 255}),
        "unshifted-softmax": Ablation("exp of raw logits", {"loss": "softmax-cross-entropy"}),
    },
    breaks=(
        Break(
            "--activation relu --epochs 20",
            "exp of logits in the thousands is infinite: no loss at step 0, exit code 1",
        ),
        Break(
            "--learning-rate 100 --epochs 20",
            "each step overshoots: the loss stays at 2.3, as for guessing",
            at_most=20.0,
        ),
        Break(
            "--max-norm 0.0001 --epochs 20",
            "the gradient is cut to nothing: in 20 steps the loss falls by 0.002",
            at_most=20.0,
        ),
    ),
)

"""The articles' numbers come out again: to the last digit wherever a seed makes that possible."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainrule import articles
from chainrule.articles import ARTICLES, named
from chainrule.articles.ablations import worth_of
from chainrule.articles.running import Effort, Moment, Recorder, StopAskedError
from chainrule.core.errors import ConfigError
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.job import prepare
from chainrule.experiments.recipes import RECIPES

GOLDEN = json.loads((Path(__file__).parent / "golden" / "articles.json").read_text())
QUICK = Effort(quick=True)


def reproduced(article: str, folder: Path) -> dict[str, dict[str, str]]:
    """The claims of `chainrule reproduce ARTICLE --json`, run as a user runs it."""
    command = [sys.executable, "-m", "chainrule", "reproduce", article, "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["ok"]
    return {claim["claim"]: claim for claim in result["claims"]}


def first(count: int, data: Dataset) -> Dataset:
    """The first training and the first test images."""
    train, test = (Examples(*(part[:count] for part in half)) for half in (data.train, data.test))
    return replace(data, train=train, test=test)


@contextmanager
def changed(article: str, **settings: Any) -> Iterator[None]:
    """While it lasts the article's recipe has other settings."""
    before = RECIPES[article]
    dict.__setitem__(RECIPES, article, replace(before, **settings))
    try:
        yield
    finally:
        dict.__setitem__(RECIPES, article, before)


def exact_claims(claims: dict[str, dict[str, str]]) -> int:
    return [claim["verdict"] for claim in claims.values()].count("exact")


def test_article_2_is_exact_up_to_iteration_20(mnist: Dataset) -> None:
    claims = list(ARTICLES["tanh-16-16"].claims(mnist, QUICK, Recorder()))
    assert [claim.measured for claim in claims] == [
        GOLDEN["tanh-16-16"][iteration] for iteration in ("0", "10", "20")
    ]
    assert {claim.verdict for claim in claims} == {"exact"}


@pytest.mark.long
def test_article_2_is_exact_in_all_fifteen_rows(tmp_path: Path) -> None:
    claims = reproduced("tanh-16-16", tmp_path)
    for iteration, row in GOLDEN["tanh-16-16"].items():
        assert claims[f"iteration {iteration}: cost, accuracy %"]["measured"] == row
    assert claims["first test image"]["measured"] == "7"
    assert exact_claims(claims) == len(claims) == GOLDEN["exact claims"]["tanh-16-16"]


def test_article_3s_small_arrays_are_exact(mnist: Dataset) -> None:
    claims = {claim.claim: claim for claim in ARTICLES["relu-45"].claims(mnist, QUICK, Recorder())}
    assert {claim.verdict for claim in claims.values()} == {"exact"}
    assert len(claims) == GOLDEN["exact claims"]["relu-45"]
    loss = claims["cross-entropy of given probabilities"]
    assert loss.measured == GOLDEN["relu-45 loss"]


@pytest.mark.long
def test_article_3_is_exact_and_reaches_its_accuracy(tmp_path: Path) -> None:
    claims = reproduced("relu-45", tmp_path)
    assert exact_claims(claims) == GOLDEN["exact claims"]["relu-45"]
    for part, accuracy in GOLDEN["relu-45"].items():
        assert claims[f"accuracy % on {part}"]["measured"] == accuracy
        assert claims[f"accuracy % on {part}"]["verdict"] == "within"


@pytest.mark.parametrize(
    ("article", "epochs", "claimed"),
    [("sigmoid-128-64", 51, 16), ("tanh-16-16", 150, 16), ("relu-45", 20, 12),
     ("sigmoid-72-36", 5, 4), ("relu-50-50-50", 150, 1)],
)  # fmt: skip
def test_the_whole_of_each_article_runs_to_its_end_on_a_few_images(
    article: str, epochs: int, claimed: int, mnist: Dataset
) -> None:
    few = first(200, mnist)
    heard: list[Moment] = []
    recorder = Recorder(heard.append)
    with changed(article, epochs=epochs):
        claims = list(ARTICLES[article].claims(few, Effort(seeds=2), recorder))
    assert len({claim.claim for claim in claims}) == len(claims) == claimed
    assert heard[0].epoch == 0
    assert heard[-1].epoch == heard[-1].epochs
    # Everything was planned, so that nothing is left when all is done.
    assert heard[-1].seconds_left == 0
    assert all(moment.seconds_left > 0 for moment in heard[1:-1])
    if article.startswith("sigmoid"):
        assert any("2 seeds" in claim.measured for claim in claims)


def test_article_4_trains_on_all_images_and_beside_that_on_those_of_its_listing(
    mnist: Dataset,
) -> None:
    recorder = Recorder()
    with changed("sigmoid-72-36", epochs=1, examples=50):
        article = ARTICLES["sigmoid-72-36"]
        claims = list(article.claims(first(200, mnist), Effort(seeds=2), recorder))
    assert [training.settings.examples for training in recorder.trainings] == [0, 0, 50, 50]
    assert [training.settings.seed for training in recorder.trainings] == [0, 1, 0, 1]
    assert [claim.verdict for claim in claims[2:]] == ["not judged"] * 2
    assert all("do not come from its listing" in claim.note for claim in claims[2:])


@pytest.mark.parametrize("article", ["sigmoid-128-64", "sigmoid-72-36"])
def test_with_one_seed_what_needs_a_spread_is_not_judged(article: str, mnist: Dataset) -> None:
    with changed(article, epochs=51 if article == "sigmoid-128-64" else 1):
        claims = list(ARTICLES[article].claims(first(50, mnist), Effort(seeds=1), Recorder()))
    unjudged = [claim for claim in claims if claim.verdict == "not judged"]
    assert unjudged
    assert all("--seeds 2 or more" in claim.note for claim in unjudged)
    assert not any("inf" in claim.note for claim in claims)


def test_article_2_at_the_rate_of_its_text_gives_another_table(mnist: Dataset) -> None:
    with changed("tanh-16-16", learning_rate=1.0):
        claims = list(ARTICLES["tanh-16-16"].claims(mnist, QUICK, Recorder()))
    assert claims[1].measured == GOLDEN["tanh-16-16 at learning rate 1, iteration 10"]
    assert [claim.verdict for claim in claims] == ["exact", "outside", "outside"]


def test_article_1s_toy_data_are_exact(mnist: Dataset) -> None:
    claims = ARTICLES["sigmoid-128-64"].claims(first(300, mnist), QUICK, Recorder())
    verdicts = [claim.verdict for claim in claims]
    assert verdicts.count("exact") == GOLDEN["exact claims"]["sigmoid-128-64"]


@pytest.mark.parametrize(
    ("article", "quirk"),
    [(name, quirk) for name, article in ARTICLES.items() for quirk in article.ablations],
)
def test_each_correction_changes_what_the_article_does(
    article: str, quirk: str, mnist: Dataset
) -> None:
    before = RECIPES[article]
    after = replace(before, **ARTICLES[article].ablations[quirk].changes)
    assert after != before
    prepare(replace(after, examples=100), mnist)


def test_scaling_article_4s_pixels_is_worth_more_than_its_bias_gradient(mnist: Dataset) -> None:
    article = ARTICLES["sigmoid-72-36"]
    worth = {
        quirk: worth_of(article, quirk, mnist, Effort(seeds=1, quick=True), Recorder())
        for quirk in ("scalar-bias-gradient", "unscaled-pixels")
    }
    assert worth["unscaled-pixels"].epochs == 10
    assert len({round(one.as_published, 12) for one in worth.values()}) == 1
    assert all(one.fixed != one.as_published for one in worth.values())


def test_article_5_gives_mean_and_spread_over_the_seeds_asked_for(mnist: Dataset) -> None:
    few = first(100, mnist)
    article = ARTICLES["relu-50-50-50"]
    with changed("relu-50-50-50", epochs=150):
        (claim,) = article.claims(few, Effort(seeds=2), Recorder())
        (single,) = article.claims(few, Effort(), Recorder())
    assert re.search(r"accuracy on test \d+\.\d ± \d+\.\d %, 2 seeds", claim.note)
    assert single.note.endswith("1 seed")
    assert "±" not in single.note


def test_an_article_answers_to_its_number_and_to_its_name() -> None:
    assert [named(number)[0].recipe for number in "12345"] == list(ARTICLES)
    assert named("relu-45") == [ARTICLES["relu-45"]]
    assert named("all") == list(ARTICLES.values())
    with pytest.raises(ConfigError, match=r"unknown article '6': .* relu-45.* 1, 2, 3, 4, 5.* all"):
        named("6")


def test_a_module_with_an_article_is_all_that_an_article_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sixth_article.py").write_text(
        "from dataclasses import replace\n"
        "from chainrule.articles.relu_45 import ARTICLE as THIRD\n"
        "ARTICLE = replace(THIRD, number=6, recipe='relu-6')\n"
    )
    monkeypatch.setattr(articles, "__path__", [str(tmp_path), *articles.__path__])
    assert list(articles.found()) == [*ARTICLES, "relu-6"]
    monkeypatch.delitem(sys.modules, "chainrule.articles.sixth_article")


def test_a_quirk_that_an_article_does_not_have_is_named(mnist: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"unknown quirk of relu-45 'dropout': .* narrow-weights"):
        worth_of(ARTICLES["relu-45"], "dropout", mnist, QUICK, Recorder())


def test_a_run_that_is_asked_to_stop_ends_between_two_steps(mnist: Dataset) -> None:
    job = prepare(replace(RECIPES["relu-45"], examples=50, epochs=20), mnist)
    steps: list[int] = []
    recorder = Recorder(lambda moment: steps.append(moment.epoch), stop=lambda: len(steps) > 3)
    with pytest.raises(StopAskedError):
        list(recorder.run("seed 2", job))
    assert steps == [0, 1, 2, 3]
    assert len(recorder.trainings[0].history) == 3

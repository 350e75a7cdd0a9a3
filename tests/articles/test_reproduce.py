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

import numpy as np
import pytest
import scipy.stats

from chainrule.articles import published
from chainrule.articles.ablations import FIXES, worth_of
from chainrule.articles.claims import as_printed, exact, falling, inside
from chainrule.articles.running import ARTICLES, Effort
from chainrule.core.statistics import prediction_interval
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.job import prepare
from chainrule.experiments.recipes import RECIPES

GOLDEN = json.loads((Path(__file__).parent / "golden" / "articles.json").read_text())
QUICK = Effort(quick=True)


def hear(_line: str) -> None:
    pass


def reproduced(article: str) -> dict[str, dict[str, str]]:
    """The claims of `chainrule reproduce ARTICLE --json`, run as a user runs it."""
    command = [sys.executable, "-m", "chainrule", "reproduce", article, "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["ok"]
    return {claim["claim"]: claim for claim in result["claims"]}


def first(count: int, data: Dataset) -> Dataset:
    """So many training and so many test images."""
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


def test_article_2_is_exact_in_all_fifteen_rows() -> None:
    claims = reproduced("tanh-16-16")
    for iteration, row in GOLDEN["tanh-16-16"].items():
        assert claims[f"iteration {iteration}: cost, accuracy %"]["measured"] == row
    assert claims["first test image"]["measured"] == "7"
    assert exact_claims(claims) == len(claims) == GOLDEN["exact claims"]["tanh-16-16"]


def test_article_3_is_exact_and_reaches_its_accuracy() -> None:
    claims = reproduced("relu-45")
    assert exact_claims(claims) == GOLDEN["exact claims"]["relu-45"]
    assert claims["cross-entropy of given probabilities"]["measured"] == GOLDEN["relu-45 loss"]
    for part, accuracy in GOLDEN["relu-45"].items():
        assert claims[f"accuracy % on {part}"]["measured"] == accuracy
        assert claims[f"accuracy % on {part}"]["verdict"] == "within"


@pytest.mark.parametrize(
    ("article", "claimed"),
    [("sigmoid-128-64", 16), ("tanh-16-16", 16), ("relu-45", 12), ("sigmoid-72-36", 2),
     ("relu-50-50-50", 1)],
)  # fmt: skip
def test_the_whole_of_each_article_runs_to_its_end_on_a_few_images(
    article: str, claimed: int, mnist: Dataset
) -> None:
    few = first(200, mnist)
    said: list[str] = []
    with changed(article, epochs=min(RECIPES[article].epochs, 300)):
        claims = list(ARTICLES[article](few, Effort(seeds=2), said.append))
    assert len({claim.claim for claim in claims}) == len(claims) == claimed
    assert said
    if article.startswith("sigmoid"):
        assert any("2 seeds" in claim.measured for claim in claims)


def test_article_2_at_the_rate_of_its_text_gives_another_table(mnist: Dataset) -> None:
    with changed("tanh-16-16", learning_rate=1.0):
        claims = list(ARTICLES["tanh-16-16"](mnist, QUICK, hear))
    assert claims[1].measured == GOLDEN["tanh-16-16 at learning rate 1, iteration 10"]
    assert [claim.verdict for claim in claims] == ["exact", "outside", "outside"]


def test_article_1s_toy_data_are_exact(mnist: Dataset) -> None:
    verdicts = [claim.verdict for claim in ARTICLES["sigmoid-128-64"](mnist, QUICK, hear)]
    assert verdicts.count("exact") == GOLDEN["exact claims"]["sigmoid-128-64"]


@pytest.mark.parametrize("digit", [1e-8, -1e-8])
def test_one_unit_in_the_last_digit_is_outside(digit: float) -> None:
    values = np.array(published.LAYER_DB.split(), float)
    assert exact("db", published.LAYER_DB, values).verdict == "exact"
    assert exact("db", published.LAYER_DB, values + digit * np.eye(3)[1]).verdict == "outside"


def test_dropped_zeros_hide_no_digit() -> None:
    assert as_printed("0.1 0.25", np.array([0.1, 0.25]))[0] == "0.1"
    assert as_printed("0.1 0.25 0.125", np.array([0.1004, 0.25, 0.125]))[0] == "0.100"
    assert exact("x", "0.1 0.25 0.125", np.array([0.1006, 0.25, 0.125])).verdict == "outside"
    assert as_printed("1e-05 2.5e-01 0", np.array([1.04e-5, 0.25, -0.0])) == [
        "1.0e-05",
        "2.5e-01",
        "0.0e+00",
    ]
    with pytest.raises(ValueError, match="2 values against 1"):
        as_printed("1", np.zeros(2))


@pytest.mark.parametrize("count", [2, 5, 11])
def test_the_interval_for_one_more_run_is_that_of_students_t(count: int) -> None:
    found = np.random.default_rng(count).normal(50, 3, count)
    scale = found.std(ddof=1) * np.sqrt(1 + 1 / count)
    expected = scipy.stats.t.interval(0.95, count - 1, found.mean(), scale)
    np.testing.assert_allclose(prediction_interval(found.tolist()), expected, rtol=1e-4)


def test_a_value_beyond_what_the_seeds_explain_is_outside() -> None:
    found = [10.0, 11.0, 9.0, 10.5, 9.5]
    assert inside("cost", 12.1, found, digits=1).verdict == "within"
    assert inside("cost", 12.5, found, digits=1).verdict == "outside"
    assert "5 seeds" in inside("cost", 2.0, found, digits=1).measured
    assert inside("cost", 99.0, [1.0], digits=1).verdict == "within"


def test_a_cost_that_rises_once_does_not_fall() -> None:
    assert falling("cost", [3.0, 2.0, 1.0]).verdict == "within"
    assert falling("cost", [3.0, 3.5, 1.0]).verdict == "outside"


@pytest.mark.parametrize(
    ("article", "quirk"), [(article, quirk) for article in FIXES for quirk in FIXES[article]]
)
def test_each_correction_changes_what_the_article_does(
    article: str, quirk: str, mnist: Dataset
) -> None:
    before = RECIPES[article]
    after = replace(before, **FIXES[article][quirk].changes)
    assert after != before
    prepare(replace(after, examples=100), mnist)


def test_scaling_article_4s_pixels_is_worth_more_than_its_bias_gradient(mnist: Dataset) -> None:
    worth = {
        quirk: worth_of("sigmoid-72-36", quirk, mnist, Effort(seeds=1, quick=True), hear)
        for quirk in ("scalar-bias-gradient", "unscaled-pixels")
    }
    assert worth["unscaled-pixels"].epochs == 10
    assert len({round(one.as_published, 12) for one in worth.values()}) == 1
    assert all(one.fixed != one.as_published for one in worth.values())


def test_article_5_gives_mean_and_spread_over_the_seeds_asked_for(mnist: Dataset) -> None:
    few = first(100, mnist)
    with changed("relu-50-50-50", epochs=300):
        (claim,) = ARTICLES["relu-50-50-50"](few, Effort(seeds=2), hear)
        (single,) = ARTICLES["relu-50-50-50"](few, Effort(), hear)
    assert re.search(r"accuracy on test \d+\.\d ± \d+\.\d %, 2 seeds", claim.note)
    assert "±" not in single.note


def test_a_quirk_that_an_article_does_not_have_is_named(mnist: Dataset) -> None:
    with pytest.raises(ValueError, match=r"unknown quirk of relu-45 'dropout': .* narrow-weights"):
        worth_of("relu-45", "dropout", mnist, QUICK, hear)

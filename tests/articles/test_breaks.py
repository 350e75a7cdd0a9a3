"""The commands at the end of `chainrule reproduce` break what they say they break."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from chainrule.articles import ARTICLES
from chainrule.articles.article import Article, Break

BREAKS = [(article, one) for article in ARTICLES.values() for one in article.breaks]
FEW = ("--examples", 400, "--no-pictures", "--quiet", "--json")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("article", "broken"), BREAKS, ids=[f"{a.recipe} {b.options}" for a, b in BREAKS]
)
def test_a_command_that_breaks_on_purpose_does(article: Article, broken: Break, chainrule) -> None:
    (command,) = (c for c, see in article.commands() if see == broken.see)
    done = chainrule(*command.split()[1:], *FEW)
    result = json.loads(done.out)
    assert ("exit code 1" in broken.see) == (broken.at_most == 0)
    if broken.at_most:
        assert done.code == 0, done.err
        assert 100 * result["test_accuracy"] <= broken.at_most
        history = Path(result["run"], "history.jsonl").read_text().splitlines()
        assert math.isfinite(json.loads(history[-1])["loss"])
    else:
        assert done.code == 1
        assert "the loss became" in done.err


@pytest.mark.parametrize("article", ARTICLES.values(), ids=lambda article: article.recipe)
def test_each_article_has_three_commands_that_differ(article: Article) -> None:
    assert len({command for command, _ in article.commands()}) == 3


def test_unbroken_the_same_images_are_learned(chainrule) -> None:
    done = chainrule("train", "--recipe", "sigmoid-72-36", "--epochs", 20, *FEW)
    limits = [one.at_most for one in ARTICLES["sigmoid-72-36"].breaks]
    assert 100 * json.loads(done.out)["test_accuracy"] > 2 * max(limits)

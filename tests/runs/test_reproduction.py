"""A reproduced article leaves a run folder: claims, curve, model, and a page that works offline."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.articles import ARTICLES
from chainrule.articles.article import Article
from chainrule.articles.claims import Claim
from chainrule.articles.running import Effort, Recorder
from chainrule.core.errors import ConfigError
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.recipes import RECIPES
from chainrule.nn.model_file import load_model
from chainrule.runs.origin import Origin
from chainrule.runs.reproduction import reproduce

QUICK = Effort(quick=True)


@pytest.fixture
def few(mnist: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The first 300 images, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    train, test = (Examples(*(part[:300] for part in half)) for half in (mnist.train, mnist.test))
    return replace(mnist, train=train, test=test)


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def of_claims(*steps: str) -> Article:
    """An article that trains, claims, and fails or is told of a stop as `steps` say."""

    def claims(data: Dataset, _effort: Effort, recorder: Recorder) -> Iterator[Claim]:
        for number, step in enumerate(steps):
            if step == "train":
                recorder.train("seed 2", replace(RECIPES["relu-45"], epochs=5), data)
            elif step == "fail":
                raise ArithmeticError("no more")
            else:
                yield Claim(f"claim {number}", "1", "1", step)

    return replace(ARTICLES["relu-45"], claims=claims)


def test_the_folder_holds_the_longest_training_with_curve_and_page(few: Dataset) -> None:
    result = reproduce(ARTICLES["sigmoid-72-36"], few, QUICK, origin=Origin())
    assert result.folder == Path("runs/sigmoid-72-36-reproduced-1")
    there = report(result.folder)
    config = tomllib.loads((result.folder / "config.toml").read_text())
    history = (result.folder / "history.jsonl").read_text().splitlines()
    assert len(history) == config["settings"]["epochs"] == there["epochs"] == 20
    with Image.open(result.folder / "curves.png") as picture:
        assert picture.size[0] > 300
    model = load_model(result.folder / "model.safetensors")
    assert model.summary["recipe"] == "sigmoid-72-36"
    predicted = model.predict_proba(few.test.images).argmax(axis=1)
    assert np.mean(predicted == few.test.labels) == there["test_accuracy"]
    page = (result.folder / "report.html").read_text()
    assert "default-src 'none'" in page
    assert result.claims[0].claim in page
    assert "data:image/png;base64" in page
    again = reproduce(ARTICLES["sigmoid-72-36"], few, QUICK, origin=Origin())
    assert again.folder.name == "sigmoid-72-36-reproduced-2"


def test_training_with_the_folders_config_gives_the_same_weights(few: Dataset, chainrule) -> None:
    result = reproduce(ARTICLES["relu-45"], few, QUICK, origin=Origin())
    done = chainrule(
        "train", "--config", result.folder / "config.toml", "--examples", 300, "--run", "again",
        "--quiet", "--no-pictures",
    )  # fmt: skip
    assert done.code == 0, done.err
    again = load_model(Path("runs/again/model.safetensors")).members[0].parameters
    ours = load_model(result.folder / "model.safetensors").members[0].parameters
    assert np.array_equal(ours, again)


def test_each_claim_is_in_the_folder_as_soon_as_it_is_settled(few: Dataset) -> None:
    seen: list[tuple[str, int]] = []

    def settled(_claim: Claim) -> None:
        there = report(next(Path("runs").iterdir()))
        seen.append((there["ending"], len(there["claims"])))

    reproduce(of_claims("exact", "within"), few, QUICK, origin=Origin(), settled=settled)
    assert seen == [("unfinished", 1), ("unfinished", 2)]


def test_an_article_that_is_stopped_keeps_what_was_settled(few: Dataset) -> None:
    asked = iter([False] * 4)
    result = reproduce(
        of_claims("exact", "train", "within"), few, QUICK, origin=Origin(),
        stop=lambda: next(asked, True),
    )  # fmt: skip
    there = report(result.folder)
    assert (result.ending, result.ok) == ("interrupted", False)
    assert [claim["verdict"] for claim in there["claims"]] == ["exact"]
    assert there["ending"] == "interrupted"
    assert 0 < there["epochs"] < 5
    assert (result.folder / "report.html").is_file()


def test_an_article_that_fails_keeps_what_was_settled_and_says_where(few: Dataset) -> None:
    with pytest.raises(ArithmeticError, match="no more") as error:
        reproduce(of_claims("exact", "fail"), few, QUICK, origin=Origin())
    folder = Path("runs/relu-45-reproduced-1")
    assert f"{folder} holds the 1 claim settled before" in error.value.__notes__
    assert report(folder)["ending"] == "failed"
    assert len(report(folder)["claims"]) == 1
    assert (folder / "curves.png").is_file()


@pytest.mark.parametrize(
    ("verdict", "ok"),
    [("exact", True), ("within", True), ("not judged", True), ("outside", False)],
)
def test_only_a_claim_outside_is_not_ok(verdict: str, ok: bool, few: Dataset) -> None:
    assert reproduce(of_claims("exact", verdict), few, QUICK, origin=Origin()).ok is ok


def test_a_mistake_that_is_not_the_articles_leaves_no_folder(few: Dataset) -> None:
    with pytest.raises(ConfigError, match="'dropout'"):
        reproduce(ARTICLES["relu-45"], few, QUICK, origin=Origin(), fix="dropout")
    assert not Path("runs").exists()

"""`chainrule reproduce`: claims in words and as JSON, the time left, what an interruption keeps."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from chainrule.articles.ablations import Worth
from chainrule.cli.reproduce import duration, worth_in_words


def test_reproduce_json_lists_claims_and_verdicts(chainrule) -> None:
    done = chainrule("reproduce", "relu-45", "--quick", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert (result["recipe"], result["ok"]) == ("relu-45", True)
    assert all(
        set(claim) == {"claim", "published", "measured", "verdict", "note"}
        for claim in result["claims"]
    )


def test_reproduce_takes_a_number_and_ends_with_three_commands_that_break_it(chainrule) -> None:
    done = chainrule("reproduce", "4", "--quick")
    assert done.code == 0, done.err
    assert "4. sigmoid-72-36" in done.out
    assert "open report.html" in done.out
    assert done.out.count("chainrule train --recipe sigmoid-72-36 ") == 3
    assert "seed 0: 20 epochs" in done.err
    assert re.search(r"  10 of 20, loss \d\.\d{4}, \d+ s left", done.err)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (100.0, "1 min 40 s"), (3600.0, "1 h 0 min"),
     (7530.0, "2 h 5 min")],
)  # fmt: skip
def test_the_time_left_is_told_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


FIVE = ["sigmoid-128-64", "tanh-16-16", "relu-45", "sigmoid-72-36", "relu-50-50-50"]


@pytest.mark.long
def test_reproduce_all_runs_the_five_articles(chainrule) -> None:
    done = chainrule("reproduce", "all", "--quick", "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert result["ok"]
    assert [one["recipe"] for one in result["recipes"]] == FIVE


def test_reproduce_all_asks_for_the_five_articles(chainrule, monkeypatch) -> None:
    def done_already(article, *_: object, told, **__: object) -> None:
        found = {"recipe": article.recipe, "ok": article.recipe != "relu-45"}
        told(SimpleNamespace(**found, as_json=lambda: found))

    monkeypatch.setattr("chainrule.runs.reproduction.reproduce", done_already)
    done = chainrule("reproduce", "all", "--quick", "--json", "--quiet")
    assert done.code == 1
    result = json.loads(done.out)
    assert not result["ok"]
    assert [one["recipe"] for one in result["recipes"]] == FIVE


def test_a_claim_outside_is_not_ok_and_exits_with_1(chainrule, monkeypatch) -> None:
    monkeypatch.setattr("chainrule.articles.relu_45.LOSS", "0.8964600261334038")
    done = chainrule("reproduce", "relu-45", "--quick")
    assert done.code == 1
    assert "NOT ok" in done.out


def test_reproduce_fix_says_what_a_correction_is_worth(chainrule) -> None:
    arguments = ("relu-45", "--quick", "--seeds", 1, "--fix", "low-learning-rate")
    fix = json.loads(chainrule("reproduce", *arguments, "--json").out)["fix"]
    assert set(fix) == {"fix", "mistake", "as_published", "fixed", "seeds", "epochs", "sd"}
    assert fix["sd"] is None
    assert fix["fixed"] > fix["as_published"]
    words = worth_in_words(Worth(**fix))
    assert words.endswith("(40 epochs, 1 seed)")
    assert f"worth {100 * (fix['fixed'] - fix['as_published']):+.2f} points" in words


def test_reproduce_that_is_interrupted_says_what_is_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "chainrule", "reproduce", "1"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("first epoch, seed 0"):
                break
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
        assert child.wait() == 130
    folder = Path("runs/sigmoid-128-64-reproduced-1")
    assert f"interrupted: {folder} holds" in said
    assert "claims settled: 4" in said
    report = json.loads((tmp_path / folder / "report.json").read_text())
    assert report["ending"] == "interrupted"
    assert len(report["claims"]) == 4

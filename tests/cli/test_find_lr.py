"""`chainrule train --find-lr` looks for a learning rate and trains nothing."""

from __future__ import annotations

import json

from chainrule.experiments.settings import read_toml
from chainrule.runs.folder import contents


def test_it_prints_a_rate_and_writes_its_curve(chainrule, few, tmp_path) -> None:
    done = chainrule("train", "--find-lr", "--data", few, "--batch-size", 50, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["run"] == "runs/fast-rates-1"
    assert len(found["rates"]) == len(found["losses"])
    assert 1e-5 < found["suggestion"] < 1
    folder = tmp_path / found["run"]
    assert contents(folder) == ["config.toml", "rates.png", "report.json"]
    assert read_toml(folder / "config.toml")["epochs"] == 8  # the recipe's, not the search's


def test_it_says_how_to_train_with_what_it_found(chainrule, few) -> None:
    done = chainrule("train", "--find-lr", "--data", few, "--batch-size", 50, "--run", "mine")
    assert done.code == 0
    assert "--learning-rate 0.0" in done.out
    assert "runs/mine: config.toml, rates.png, report.json" in done.out


def test_a_run_cannot_be_resumed_to_look_for_a_rate(chainrule, few) -> None:
    done = chainrule("train", "--find-lr", "--resume", "mine")
    assert (done.code, done.err.splitlines()[-1]) == (
        2,
        "error: --find-lr starts a new run: leave out --resume",
    )

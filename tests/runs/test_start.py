"""`train --from`: a run starts from the weights of another one, and says so in its config.toml."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from chainrule.nn.model_file import load_network, save
from chainrule.nn.network import Network
from helpers.runs import PLAIN, SMALL, killed_at, step_of, weights

STILL = ("--learning-rate", 1e-12, "--optimizer", "sgd", "--schedule", "constant")


@pytest.fixture
def first(chainrule, few) -> Path:
    """A run `first`, of which others start."""
    assert chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "first").code == 0
    return few


def test_a_run_starts_from_the_weights_and_with_the_layers_of_another(chainrule, first) -> None:
    more = ("--data", first, "--epochs", 1, "--run", "next", *STILL, *PLAIN)
    done = chainrule("train", "--from", "first", *more)
    assert done.code == 0, done.err
    mine, theirs = (load_network(f"runs/{run}/model.safetensors") for run in ("next", "first"))
    np.testing.assert_allclose(mine.state, theirs.state, rtol=1e-6, atol=1e-12)
    told = Path("runs/next/config.toml").read_text()
    assert "runs/first/model.safetensors" in told


def test_a_killed_run_and_its_configuration_start_from_the_same_weights(
    chainrule, first, monkeypatch
) -> None:
    more = ("--data", first, "--epochs", 2, "--learning-rate", 0.01, "--batch-size", 50, *PLAIN)
    assert chainrule("train", "--from", "first", *more, "--run", "whole").code == 0
    with monkeypatch.context() as patch:
        killed_at(patch, 3)
        assert chainrule("train", "--from", "first", *more, "--run", "cut").code == 143
    assert step_of("cut") == 3
    for path in ("model.safetensors", "report.json"):
        Path(f"runs/cut/{path}").unlink()
    shutil.rmtree("runs/cut/checkpoints")
    assert chainrule("train", "--resume", "cut", *PLAIN).code == 0
    assert weights("cut") == weights("whole")
    again = ("--config", "runs/whole/config.toml", "--run", "again", *PLAIN)
    assert chainrule("train", *again).code == 0
    assert weights("again") == weights("whole")
    save(Network.dense(load_network("runs/first/model.safetensors").widths, rng=1),
         "runs/first/model.safetensors")  # fmt: skip
    done = chainrule("train", *again[:2], "--run", "changed", *PLAIN)
    assert done.code == 2
    assert "started from other weights than those that" in done.err
    assert not Path("runs/changed").exists()


def test_weights_that_do_not_fit_are_one_sentence(chainrule, first) -> None:
    for options, words in {
        ("--layers", "784,9,10"): ["its network is <Network 784 ->", "784 -> 9 relu -> 10"],
        ("--batch-norm",): ["folded into the weights"],
        ("--resume", "first"): ["leave out", "--from"],
    }.items():
        done = chainrule("train", "--from", "first", *options, *PLAIN)
        assert done.code == 2
        assert all(word in done.err for word in words), done.err
    done = chainrule("train", "--from", "frist", "--data", first, *PLAIN)
    assert done.code == 2
    assert "did you mean first" in done.err


def test_a_search_for_a_rate_starts_from_the_same_weights(chainrule, first) -> None:
    losses = []
    for more in ((), ("--from", "first")):
        layers = ("--layers", "784,20,10") if not more else ()
        done = chainrule("train", "--find-lr", "--data", first, *layers, *more, "--json")
        assert done.code == 0, done.err
        losses.append(json.loads(done.out)["losses"][0])
    assert losses[1] < losses[0] - 0.5

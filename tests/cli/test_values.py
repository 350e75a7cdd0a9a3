"""What a command does is called from Python without it, and returns what --json prints."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from chainrule.articles import named
from chainrule.articles.running import Effort
from chainrule.cli.app import commands
from chainrule.core.tables import Table
from chainrule.data.load import load
from chainrule.data.summary import Summary, take_inventory
from chainrule.experiments.job import distortion_of
from chainrule.experiments.recipes import combine
from chainrule.nn import gradient_check
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.gradient_report import check_everything
from chainrule.nn.losses import LOSSES
from chainrule.plots.distortions import draw_corruptions, draw_distorted
from chainrule.runs.ensembles import join_runs, train_ensemble
from chainrule.runs.evaluation import compare_runs, evaluate_run
from chainrule.runs.lr_search import search_learning_rate
from chainrule.runs.origin import MNIST, Origin, load_data
from chainrule.runs.pages import export_network, export_replay
from chainrule.runs.predictions import predict_run
from chainrule.runs.reproduction import reproduce
from chainrule.runs.request import Request
from chainrule.runs.run import train_run

SECONDS = ("train_seconds", "total_seconds")


class Value(Protocol):
    def as_json(self) -> dict[str, Any]: ...


def ignore(line: str) -> None:
    """Nobody listens."""


def request(few: Path, run: str) -> Request:
    flags = {"epochs": 1, "batch_size": 50}
    settings, asked_for = combine("fast", flags=flags)
    return Request(settings, asked_for, recipe="fast", origin=Origin(str(few)), run=run)


CASES: dict[str, tuple[str, Callable[[Path], Value]]] = {
    "train": (
        "train --data {few} --epochs 1 --batch-size 50 --run one",
        lambda few: train_run(request(few, "two"), say=ignore),
    ),
    "train --find-lr": (
        "train --find-lr --data {few} --epochs 1 --batch-size 50 --run one",
        lambda few: search_learning_rate(request(few, "two"), say=ignore),
    ),
    "evaluate": (
        "evaluate mine --pictures drawn",
        lambda few: evaluate_run("mine", pictures=Path("drawn"), say=ignore),
    ),
    "evaluate --corrupted": (
        "evaluate mine --corrupted",
        lambda few: evaluate_run("mine", corrupted_copies=True, say=ignore),
    ),
    "compare": ("compare mine mine", lambda few: compare_runs("mine", "mine", say=ignore)),
    "predict": (
        "predict mine --index 3 --index 5",
        lambda few: predict_run("mine", index=[3, 5], say=ignore),
    ),
    "export": (
        "export mine p.html",
        lambda few: export_network("mine", Path("p.html"), say=ignore),
    ),
    "report": ("report mine", lambda few: export_replay("mine")),
    "distort": (
        "distort --data {few} --rotation 30",
        lambda few: draw_distorted(
            load_data(Origin(str(few)), offline=True, report=ignore),
            distortion_of(combine("accurate", flags={"rotation": 30.0})[0]),
            Path("samples.png"),
            rng=np.random.default_rng(0),
        ),
    ),
    "distort --corruptions": (
        "distort --data {few} --corruptions",
        lambda few: draw_corruptions(
            load_data(Origin(str(few)), offline=True, report=ignore), Path("corruptions.png")
        ),
    ),
    "data": ("data", lambda few: take_inventory()),
    "data PATH": (
        "data {few}",
        lambda few: Summary(load_data(Origin(str(few)), offline=True, report=ignore)),
    ),
    "gradcheck": ("gradcheck --seed 1", lambda few: check_everything(np.random.default_rng(1))),
    "reproduce": (
        "reproduce relu-45 --quick",
        lambda few: reproduce(named("relu-45")[0], load("mnist"), Effort(quick=True), origin=MNIST),
    ),
    "committee": (
        "committee one --recipe sprint --seeds 0 --data {few}",
        lambda few: train_ensemble("one", "sprint", [0], origin=Origin(str(few)), say=ignore),
    ),
    "committee --members": (
        "committee two --members mine",
        lambda few: join_runs("two", ["mine"], say=ignore),
    ),
}
"""Arguments of a command, and the call that does the same."""


def comparable(value: dict[str, Any]) -> dict[str, Any]:
    """Without times and without the name of the folder."""
    value = json.loads(json.dumps(value))
    return {key: one for key, one in value.items() if key not in ("run", *SECONDS)}


@pytest.mark.parametrize("case", CASES)
def test_a_call_from_python_returns_what_the_command_prints_as_json(
    case: str, chainrule, mine: Path, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_activations = {name: ACTIVATIONS[name] for name in ("tanh", "identity")}
    loss = "softmax-cross-entropy"
    monkeypatch.setattr(gradient_check, "ACTIVATIONS", Table("activation", few_activations))
    monkeypatch.setattr(gradient_check, "LOSSES", Table("loss", {loss: LOSSES[loss]}))
    words, call = CASES[case]
    done = chainrule(*words.format(few=few).split(), "--json")
    assert done.code == 0, done.err
    printed = json.loads(done.out)
    value = call(few).as_json()
    assert value.keys() == printed.keys()
    assert comparable(value) == comparable(printed)


def test_every_command_that_prints_json_is_compared() -> None:
    printing = {
        command.__name__
        for command in commands()
        if "json" in inspect.signature(command).parameters
    }
    assert printing == {case.split()[0] for case in CASES}

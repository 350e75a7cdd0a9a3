"""Runs resumed from copied progress, and a copy of every exported object.

The oracle is the same run with nothing copied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.core.errors import DataError, DivergenceError, ModelFileError
from chainrule.core.tables import Table
from chainrule.data.dataset import Dataset, Examples
from chainrule.nn.committee import Committee
from chainrule.nn.dense import Dense
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network, Workspace
from chainrule.nn.predictor import Predictor
from chainrule.notebook.history import History
from chainrule.optim.schedules import SCHEDULES, WarmUp
from chainrule.runs.train_members import MemberError
from chainrule.service.refusal import RequestError
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, train
from helpers.copying import (
    WAYS,
    X,
    Y,
    arrays,
    assert_small,
    every_way,
    learn,
    network,
    pickled,
    share_memory,
    trained,
)


@every_way
@pytest.mark.parametrize("cut", [3, 10, 17])
def test_a_run_resumes_from_copied_progress_to_the_same_bits(
    cut: int, way: Callable[[Any], Any]
) -> None:
    whole, _, _ = run(Progress())
    _, progress, _ = run(Progress(), stop=cut)
    twin = way(progress)
    assert twin.numbers() == progress.numbers()
    assert not share_memory(twin, progress)
    assert_small(progress, [*progress.arrays.values()])
    resumed, end, _ = run(twin)
    assert resumed.state.tobytes() == whole.state.tobytes()
    assert end.step == 20
    assert progress.step == cut


@every_way
def test_progress_copied_during_a_run_stays_as_it_was(way: Callable[[Any], Any]) -> None:
    whole, _, copies = run(Progress(), keep=way)
    assert [each.numbers()["optimizer_steps"] for each in copies] == [5, 10, 15, 20]
    for each in copies[:3]:
        assert run(each)[0].state.tobytes() == whole.state.tobytes()


def run(
    progress: Progress, *, stop: int = -1, keep: Callable[[Any], Any] = id
) -> tuple[Network, Progress, list[Any]]:
    """(network, progress, copies of it after each epoch) of a run that uses all of its arrays."""
    learner = network("batch norm")
    rates = WarmUp(0.05, then=SCHEDULES["plateau"](0.05, 100), warm_up=5)
    kept = []
    for _ in train(
        learner, (X, Y), rng=np.random.default_rng(4), epochs=4, batch_size=20, validation=(X, Y),
        patience=9, average=0.9, learning_rate=rates, progress=progress,
        stop=lambda: progress.step == stop,
    ):  # fmt: skip
        kept.append(keep(progress))
    return learner, progress, kept


ESTIMATORS = {"NetworkClassifier", "NetworkRegressor", "HiddenLayer"}
"""Copied in tests/estimators."""


def exported() -> dict[str, Any]:
    """An instance of each class in `chainrule.__all__`, and of those that hold them."""
    images, labels = Examples(X, Y), (Y == 0).astype(int)
    return {
        "DataError": DataError("no images"),
        "Dataset": Dataset("d", images, Examples(X, labels), ("a", "b", "c"), (3, 4), "s", {}),
        "Dense": Dense(4, 3, "relu", batch_norm=True, dropout=0.5),
        "DivergenceError": DivergenceError("inf", step=3, layer=None, learning_rate=0.1),
        "Epoch": Epoch(1, 5, 0.5, 0.6, None, None, 0.1, 2.0),
        "Examples": images,
        "ModelFileError": ModelFileError("no model"),
        "Network": trained(),
        "Predictor": Predictor(trained("all")),
        "Progress": run(Progress(), stop=7)[1],
        "Workspace": Workspace(trained(), 90),
        "History": History((), 0, 5),
        "Committee": Committee((trained(), trained("batch norm"))),
        "Model": Model(trained(), ("a", "b", "c"), (3, 4), 2.0, {"seed": 1}),
    }


def test_each_exported_class_is_among_those_copied_here() -> None:
    classes = {name for name in chainrule.__all__ if isinstance(getattr(chainrule, name), type)}
    assert classes - ESTIMATORS <= exported().keys()


@pytest.mark.parametrize("name", chainrule.__all__)
def test_each_exported_name_can_be_pickled(name: str) -> None:
    value = getattr(chainrule, name)
    for way in WAYS.values():
        twin = way(value)
        if isinstance(value, Table):
            assert (type(twin), twin.noun, [*twin]) == (Table, value.noun, [*value])
            assert [*map(repr, twin.values())] == [*map(repr, value.values())]
        else:
            assert twin is value


@every_way
@pytest.mark.parametrize("name", exported())
def test_each_exported_object_survives(name: str, way: Callable[[Any], Any]) -> None:
    value = exported()[name]
    twin = way(value)
    assert type(twin) is type(value)
    learned = [each.arrays if name == "Progress" else each for each in (value, twin)]
    mine, others = (list(arrays(each, set())) for each in learned)
    if name != "Workspace":  # a new one, whose buffers are empty
        assert [a.tobytes() for a in mine] == [a.tobytes() for a in others]
    if name in {"Dense", "Epoch"}:
        assert twin == value
    if isinstance(value, Exception):
        assert (twin.args, vars(twin), str(twin)) == (value.args, vars(value), str(value))
    # A shallow copy of what nobody writes into holds the same arrays, as that of a tuple does.
    if way in (pickled, copy.deepcopy) or name in {"Network", "Progress"}:
        assert not share_memory(twin, value)


@every_way
@pytest.mark.parametrize("name", ["Predictor", "Committee", "Model"])
def test_a_copy_predicts_to_the_same_bits(name: str, way: Callable[[Any], Any]) -> None:
    value = exported()[name]
    predict = (lambda one: one(X)) if name == "Predictor" else (lambda one: one.predict_proba(X))
    assert predict(way(value)).tobytes() == predict(value).tobytes()


def test_members_of_a_copied_committee_learn() -> None:
    original = Model(Committee((trained(), trained("batch norm"))))
    for twin in (pickled(original), copy.deepcopy(original)):
        for member, wanted in zip(twin.members, original.members, strict=True):
            assert (
                learn(member, seed=3).state.tobytes()
                == learn(wanted.copy(), seed=3).state.tobytes()
            )


@every_way
@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (
            DivergenceError("inf at step 3", step=3, layer=2, learning_rate=0.1),
            {"step": 3, "layer": 2, "learning_rate": 0.1},
        ),
        (MemberError("member 2 failed", 74), {"code": 74}),
        (RequestError(413, "too large"), {"status": 413}),
    ],
)
def test_an_error_keeps_its_words_fields_and_notes(
    error: Exception, fields: dict[str, Any], way: Callable[[Any], Any]
) -> None:
    error.__notes__ = ["in the second member"]
    twin = way(error)
    assert (type(twin), str(twin)) == (type(error), str(error))
    assert vars(twin) == {**fields, "__notes__": ["in the second member"]}

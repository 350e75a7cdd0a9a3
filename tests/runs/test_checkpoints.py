"""When a run is saved: after epochs if that costs little, as often as asked for, at the end."""

from __future__ import annotations

import pytest

from chainrule.core.errors import ConfigError
from chainrule.runs import run as execute
from chainrule.training.checkpointer import Every, every
from helpers.runs import PLAIN, SMALL, killed_at, step_of, weights


@pytest.fixture
def saved(monkeypatch) -> list[int]:
    """The steps after which runs are saved from now on."""
    saved: list[int] = []
    plain_save = execute.Checkpointer.save

    def save(checkpointer: execute.Checkpointer) -> None:
        saved.append(checkpointer.progress.step)
        plain_save(checkpointer)

    monkeypatch.setattr(execute.Checkpointer, "save", save)
    return saved


SHARE = "chainrule.training.checkpointer.SHARE"


def test_a_checkpoint_follows_an_epoch_where_its_time_is_a_small_share(
    chainrule, few, saved, monkeypatch
) -> None:
    monkeypatch.setattr(SHARE, 1e9)  # a save takes far less than the time since the last one
    assert chainrule("train", "--data", few, *SMALL, *PLAIN).code == 0
    assert saved == [10, 20, 30]
    saved.clear()
    monkeypatch.setattr(SHARE, 0.0)  # never: but the first, whose time is unknown, and the last
    assert chainrule("train", "--data", few, *SMALL, *PLAIN).code == 0
    assert saved == [10, 30]


@pytest.mark.parametrize(
    ("share", "steps"),
    [(1e9, [4, 8, 10, 14, 18, 20, 24, 28, 30]), (0.0, [4, 8, 12, 16, 20, 24, 28, 30])],
)
def test_an_interval_that_was_asked_for_is_kept(
    chainrule, few, saved, monkeypatch, share, steps
) -> None:
    monkeypatch.setattr(SHARE, share)
    options = (*SMALL, *PLAIN, "--checkpoint-every", 4)
    assert chainrule("train", "--data", few, *options).code == 0
    assert saved == steps


def test_a_run_interrupted_after_epochs_that_were_not_saved_loses_nothing(
    chainrule, few, monkeypatch
) -> None:
    monkeypatch.setattr(SHARE, 0.0)
    assert chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "whole").code == 0
    with monkeypatch.context() as patch:
        killed_at(patch, 20)
        done = chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "half")
    assert done.code == 143
    assert step_of("half") == 20
    assert chainrule("train", "--resume", "half", *PLAIN).code == 0
    assert weights("half") == weights("whole")


def test_how_often_is_steps_or_seconds() -> None:
    assert every("20") == Every(steps=20.0)
    assert every("30s") == Every(seconds=30.0)
    assert every("") == Every()
    for wrong in ("0", "0s", "5m", "-1", "s", "1.5"):
        with pytest.raises(ConfigError, match=r"such as 20, or of seconds, 30s"):
            every(wrong)

"""Checkpoints made by hand in Python: each is refused before anything is written, or read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.core.errors import ModelFileError, SaveError
from chainrule.experiments.settings import Settings
from chainrule.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from chainrule.training.checkpointer import FAILURES, Checkpointer, Every
from chainrule.training.state import Progress
from chainrule.training.train import Epoch

EPOCH = asdict(Epoch(1, 7, 0.5, 0.5, None, None, 0.1, 1.0))


def made(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Checkpoint:
    """A checkpoint whose parts and whose progress were changed."""
    parts: dict[str, Any] = {
        "history": [dict(EPOCH)], "settings": asdict(Settings()), "checksums": {"train": "0" * 64},
        "numerics": {"numpy": "2"},
    }  # fmt: skip
    numbers: dict[str, Any] = {"epoch": 1, "step": 7, "arrays": {"parameters": np.ones(3)}}
    change(parts, numbers)
    progress = Progress()
    vars(progress).update(numbers)
    checkpoint = Checkpoint(progress, [], {}, {}, {})
    for name, value in parts.items():
        object.__setattr__(checkpoint, name, value)
    return checkpoint


def holds_itself(parts: dict[str, Any], _numbers: dict[str, Any]) -> None:
    parts["history"].append(parts["history"])


REFUSED: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "a number for a name": lambda p, n: p["settings"].update({1: 2}),
    "half a character": lambda p, n: p["numerics"].update(cpu="\ud83d"),
    "nan for a checksum": lambda p, n: p["checksums"].update(train=float("nan")),
    "a setting of NumPy's": lambda p, n: p["settings"].update(seed=np.int64(3)),
    "a set": lambda p, n: p["settings"].update(layers={3}),
    "a control character": lambda p, n: p["numerics"].update(cpu="\x1b[2J"),
    "a loss of nan": lambda p, n: p["history"][0].update(loss=float("nan")),
    "a loss of NumPy's": lambda p, n: p["history"][0].update(loss=np.float32(1)),
    "an epoch of another number": lambda p, n: p["history"][0].update(epoch=2),
    "an epoch with one thing more": lambda p, n: p["history"][0].update(more=1),
    "a history that holds itself": holds_itself,
    "a history that is a table": lambda p, n: p.update(history={"1": EPOCH}),
    "a step below 0": lambda p, n: n.update(step=-1),
    "more steps than a name has digits": lambda p, n: n.update(step=10**18),
    "half a step": lambda p, n: n.update(step=7.5),
    "a schedule that is a list": lambda p, n: n.update(schedule=[1]),
    "a schedule of NumPy's": lambda p, n: n.update(schedule={"rate": np.float32(1)}),
    "weights of nan": lambda p, n: n["arrays"].update(parameters=np.full(3, np.nan)),
    "squares below 0": lambda p, n: n["arrays"].update({"optimizer.v": np.full(3, -1.0)}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_before_anything_is_written(tmp_path: Path, what: str) -> None:
    good = write_checkpoint(tmp_path, made(lambda p, n: n.update(step=6)))
    before = good.read_bytes()
    odd = made(REFUSED[what])
    with pytest.raises((ModelFileError, ValueError)) as refusal:
        write_checkpoint(tmp_path, odd)
    assert type(refusal.value) is ModelFileError
    assert len(str(refusal.value)) < 400
    with pytest.raises(ModelFileError):
        write_checkpoint(tmp_path / "new", odd)
    assert list(tmp_path.iterdir()) == [good]
    assert good.read_bytes() == before


def test_without_a_change_it_is_written_and_read(tmp_path: Path) -> None:
    checkpoint = made(lambda p, n: p["history"][0].update(validation_loss=float("inf")))
    found = read_checkpoint(write_checkpoint(tmp_path, checkpoint))
    assert found.history == checkpoint.history
    assert found.progress.numbers() == checkpoint.progress.numbers()


def test_a_run_whose_numbers_cannot_be_saved_is_told_so_and_ends_after_three(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    odd = made(lambda p, n: p["numerics"].update(cpu="\x1b"))
    saver = Checkpointer(
        tmp_path, Every(), odd.settings, odd.checksums, odd.numerics, odd.progress, odd.history,
        bool, said.append,
    )  # fmt: skip
    for _ in range(FAILURES - 1):
        saver.save()
    with pytest.raises(SaveError, match="3 checkpoints in a row could not be saved"):
        saver.save()
    assert len(said) == FAILURES - 1
    assert "printable" in said[0]

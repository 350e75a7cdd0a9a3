"""The power is cut at every moment of a save: what is found again is the old state or the new."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chainrule.core import files
from chainrule.core.files import write_atomically
from chainrule.training.checkpoint import latest, write_checkpoint
from helpers.disk import RecordingDisk, after_power_cuts, installed, laid_out
from training.test_checkpoint import checkpoint


def recorded(
    monkeypatch: pytest.MonkeyPatch, root: Path, action: Callable[[], Any]
) -> tuple[dict[Path, bytes], list[tuple[Any, ...]]]:
    """(the files before, the diary of what the action did to the disk)"""
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    disk = installed(monkeypatch, RecordingDisk(root))
    action()
    monkeypatch.setattr(files, "os", os)
    return before, disk.diary


def states_found(
    root: Path, before: dict[Path, bytes], diary: list[tuple[Any, ...]], look: Callable[[Path], Any]
) -> set[Any]:
    """What `look` finds in each state that the power cut may leave."""
    found = set()
    trial = root.with_name("after")
    for state in after_power_cuts(before, diary):
        trial.mkdir()
        laid_out(state, root, trial)
        found.add(look(trial))
        shutil.rmtree(trial)
    return found


def step_found(folder: Path) -> int | None:
    saved = latest(folder / "checkpoints", report=lambda text: None)
    return saved and saved.progress.step


def saves(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[set[int | None]]:
    """For each save of a run, what is found if the power is cut: within it, and after it."""
    root.mkdir()
    for step in range(1, 7):
        before, diary = recorded(
            monkeypatch, root, partial(write_checkpoint, root / "checkpoints", checkpoint(step, 1))
        )
        within: set[int | None] = set()
        for done in range(len(diary)):
            within |= states_found(root, before, diary[:done], step_found)
        yield within
        yield states_found(root, before, diary, step_found)


def promised() -> list[set[int | None]]:
    """Within a save the old state or the new; after it the new one and no other."""
    pairs = [(None, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]
    return [states for old, new in pairs for states in ({old, new}, {new})]


def test_a_power_cut_leaves_the_old_checkpoint_or_the_new_and_loses_none_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(saves(monkeypatch, tmp_path / "run")) == promised()


def test_a_file_written_over_is_the_old_one_or_the_new_and_then_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "run"
    root.mkdir()
    path = root / "model.safetensors"
    path.write_bytes(b"the old one")
    before, diary = recorded(monkeypatch, root, lambda: write_atomically(path, b"the new one!"))

    def look(folder: Path) -> bytes | None:
        place = folder / path.name
        return place.read_bytes() if place.is_file() else None

    for done in range(len(diary)):
        assert states_found(root, before, diary[:done], look) <= {b"the old one", b"the new one!"}
    assert states_found(root, before, diary, look) == {b"the new one!"}


@pytest.mark.parametrize("forgotten", ["run", "checkpoints", "file"])
def test_each_of_the_three_flushes_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    real = RecordingDisk.fsync

    def forgetful(disk: RecordingDisk, descriptor: int) -> None:
        path = disk.descriptors[descriptor]
        if forgotten != (path.name if path.is_dir() else "file"):
            real(disk, descriptor)

    monkeypatch.setattr(RecordingDisk, "fsync", forgetful)
    found = saves(monkeypatch, tmp_path / "run")
    assert any(states != wanted for states, wanted in zip(found, promised(), strict=True))

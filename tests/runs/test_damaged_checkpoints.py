"""Damaged checkpoints are set aside: they displace no new one, and a kill costs no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.runs import run as execute
from chainrule.training.checkpoint import KEPT
from helpers.runs import PLAIN, SMALL, step_of, weights

EACH = ("--checkpoint-every", 1)


class Killed(BaseException):
    """In place of SIGKILL: nothing is saved after it."""


def killed_before(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """From now on `train` ends before this step as if killed."""
    plain_run = execute.run

    def run(job, *, stop, progress):
        def between() -> bool:
            stopped = stop()
            if progress.step == step:
                raise Killed
            return stopped

        return plain_run(job, stop=between, progress=progress)

    monkeypatch.setattr(execute, "run", run)


def damage(folder: Path) -> dict[str, bytes]:
    """Flips a bit in the middle of each checkpoint; (name, content) of each."""
    found = {}
    for path in sorted(folder.glob("step-*.safetensors")):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        found[path.name] = bytes(content)
    return found


def test_after_all_were_damaged_new_ones_survive_a_kill(chainrule, few, monkeypatch) -> None:
    assert chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "whole").code == 0
    with monkeypatch.context() as patch:
        killed_before(patch, 25)
        with pytest.raises(Killed):
            chainrule("train", "--data", few, *SMALL, *PLAIN, *EACH, "--run", "hurt")
    folder = Path("runs/hurt/checkpoints")
    damaged = damage(folder)
    assert len(damaged) >= KEPT
    with monkeypatch.context() as patch:
        killed_before(patch, 12)
        with pytest.raises(Killed):
            chainrule("train", "--resume", "hurt", *PLAIN, *EACH)
    there = {path.name for path in folder.glob("step-*.safetensors")}
    assert {f"step-{step:09d}.safetensors" for step in (10, 11, 12)} <= there
    for name, content in damaged.items():
        assert (folder / f"{name}.damaged").read_bytes() == content
    assert step_of("hurt") == 12
    done = chainrule("train", "--resume", "hurt", *PLAIN)
    assert done.code == 0
    assert "resuming runs/hurt after 1 epochs and 2 batches, step 12" in done.err
    assert "damaged" not in done.err
    assert weights("hurt") == weights("whole")


def test_each_damaged_one_is_named_with_the_name_it_is_kept_under(
    chainrule, few, monkeypatch
) -> None:
    with monkeypatch.context() as patch:
        killed_before(patch, 8)
        with pytest.raises(Killed):
            chainrule("train", "--data", few, *SMALL, *PLAIN, *EACH, "--run", "hurt")
    folder = Path("runs/hurt/checkpoints")
    for again in ("", "-2"):  # the same steps are damaged twice
        names = list(damage(folder))
        assert len(names) == KEPT
        with monkeypatch.context() as patch:
            killed_before(patch, 8)
            with pytest.raises(Killed):
                chainrule("train", "--resume", "hurt", *PLAIN, *EACH)
        for name in names:
            assert (folder / f"{name}.damaged{again}").is_file()
    damage(folder)
    done = chainrule("train", "--resume", "hurt", *PLAIN)
    assert done.code == 0
    for step in (6, 7, 8):
        name = f"step-{step:09d}.safetensors"
        assert f"skipped: {folder / name}" in done.err
        assert f"kept as {name}.damaged-3" in done.err

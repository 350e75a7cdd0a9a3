"""A small run by command: its options, its weights, its checkpoints, signals sent to it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from chainrule.runs import run as execute
from chainrule.training.checkpoint import latest

SMALL = ("--layers", "784,20,10", "--batch-size", 50, "--epochs", 3, "--validation", 100)
STEPS = 30
PLAIN = ("--no-pictures",)


def weights(name: str) -> bytes:
    return Path(f"runs/{name}/model.safetensors").read_bytes()


def step_of(name: str) -> int:
    found = latest(Path(f"runs/{name}/checkpoints"), report=pytest.fail)
    assert found
    return found.progress.step


def killed_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int = signal.SIGTERM) -> None:
    """From now on `train` gets this signal before this step."""
    plain_run = execute.run

    def run(job, *, stop, progress):
        def between() -> bool:
            if progress.step == step:
                os.kill(os.getpid(), number)
            return stop()

        return plain_run(job, stop=between, progress=progress)

    monkeypatch.setattr(execute, "run", run)

"""A run that is watched without a server: its commands come when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from chainrule.monitor import watcher as watching
from chainrule.monitor.control import Command, View
from chainrule.monitor.events import read_events
from chainrule.nn.model_file import load_model
from chainrule.service import live_view as live

TRAIN = (
    "train",
    "--epochs",
    3,
    "--batch-size",
    50,
    "--validation",
    100,
    "--no-pictures",
    "--quiet",
)
"""30 steps on the 500 images of `few` that are neither held out nor for the test."""


class Later(SimpleQueue[Command]):
    """Commands that each come before a step; `when_waiting` is called while a paused run waits."""

    def __init__(self, *commands: tuple[int, Command]) -> None:
        self.waiting = list(commands)
        self.when_waiting = lambda: None

    def release(self, step: int) -> None:
        while self.waiting and self.waiting[0][0] <= step:
            self.put(self.waiting.pop(0)[1])

    def get(self, block: bool = True, timeout: float | None = None) -> Command:
        if self.empty():
            self.when_waiting()
        return super().get(block, timeout)


@pytest.fixture(autouse=True)
def _always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is looked at as soon as it may be, however slow the machine."""
    monkeypatch.setattr(watching, "EVERY", 0.0)
    monkeypatch.setattr(watching, "SHARE", 1e9)


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> Any:
    """view((step, command), ...) -> the View of the next run, without a server."""

    def make(*commands: tuple[int, Command]) -> View:
        made = View(commands=Later(*commands))

        @contextmanager
        def opened(*_: object, **__: object) -> Iterator[View]:
            yield made

        monkeypatch.setattr(live, "opened", opened)
        return made

    plain = watching.Watcher.__call__

    def asked(self: watching.Watcher) -> bool:
        if isinstance(self.commands, Later):
            self.commands.release(self.progress.step)
        return plain(self)

    monkeypatch.setattr(watching.Watcher, "__call__", asked)
    return make


def weights(run: str) -> Any:
    return load_model(f"runs/{run}/model.safetensors").network.parameters


def events(run: str, kind: str) -> list[dict[str, Any]]:
    return [e for e in read_events(Path(f"runs/{run}/watch.jsonl")) if e["kind"] == kind]

"""Played runs: what `make records` asks for is written at once, and nothing is trained."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import benchmarks.accuracy.filling as filling_module
from benchmarks.accuracy.goals import COMMITTEE, OF
from chainrule.data.dataset import Dataset
from chainrule.experiments.job import prepare
from chainrule.experiments.recipes import RECIPES
from chainrule.experiments.settings import as_toml
from chainrule.runs.processes import Ending, Task
from chainrule.training.options import ALL_CORES


class Trainer:
    """In the place of the processes: writes what they would leave, and knows what was asked."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.asked: list[tuple[str, ...]] = []
        self.fail: dict[str, Ending] = {}
        """Name of the task -> how it ends instead."""
        self.corrupted = True

    def __call__(
        self, tasks: list[Task], *, jobs: int, stop: Callable[[], bool], say: Callable[[str], None]
    ) -> dict[str, Ending]:
        assert len(tasks) <= jobs
        endings = {}
        for task in tasks:
            self.asked.append(task.arguments)
            endings[task.name] = self.fail.get(task.name) or getattr(self, task.arguments[0])(task)
        return endings

    def train(self, task: Task) -> Ending:
        name = task.name
        folder = Path("runs") / name
        recipe, seed = re.fullmatch(r"records-(\w+)-(\d)", name).groups()
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        threads = int(dict(pairwise(task.arguments)).get("--threads", ALL_CORES))
        settings = prepare(RECIPES[recipe], self.data).settings
        settings = replace(settings, seed=int(seed), threads=threads)
        (folder / "config.toml").write_text(as_toml(settings))
        epochs = [{"seconds": 1.0, "validation_accuracy": 0.98 + k / 100} for k in range(3)]
        (folder / "history.jsonl").write_text("\n".join(map(json.dumps, epochs)))
        return self._finish(folder, recipe, int(seed))

    def committee(self, task: Task) -> Ending:
        folder = Path("runs") / task.name
        folder.mkdir()
        done = self._finish(folder, COMMITTEE, 9)
        report = json.loads((folder / "report.json").read_text())
        del report["ending"]  # a committee's report has none
        (folder / "report.json").write_text(json.dumps(report))
        return done

    def evaluate(self, task: Task) -> Ending:
        if not self.corrupted:
            return Ending(2, "", "Error: No such option: --corrupted")
        corruptions = {"shift": {"mean": 0.7, "severities": []}, "blur": {"mean": 0.9}}
        return Ending(0, json.dumps({"corruptions": corruptions, "mean": 0.8}), "")

    def _finish(self, folder: Path, recipe: str, seed: int) -> Ending:
        (folder / "model.safetensors").write_bytes(b"model")
        report = {
            "ending": "finished", "recipe": recipe, "seed": seed, "errors": 40 + seed,
            "test_error": (40 + seed) / 10_000, "train_seconds": 3.0, "total_seconds": 5.0,
            "epochs": 3, "parameters": 1000,
            "confusion": [[9_960 - seed, 40 + seed], [0, 0]],
        }  # fmt: skip
        (folder / "report.json").write_text(json.dumps(report))
        return Ending(0, json.dumps(report), "")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist: Dataset) -> Trainer:
    """A folder with docs/ and no runs; processes are only played."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    for name in ("plain", "accurate", "t99", OF):
        monkeypatch.setitem(RECIPES, name, replace(RECIPES["sprint"], validation=5000))
    played = Trainer(mnist)
    monkeypatch.setattr(filling_module, "run_all", played)
    return played

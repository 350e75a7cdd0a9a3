"""A few real digits to write in every format, and a home that is empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.data.dataset import Dataset, Found, Part


@pytest.fixture(scope="session")
def sample(mnist: Dataset) -> Found:
    """The first 210 training and 70 test digits (no 8 is among the first 60), as bytes."""

    def part(images: np.ndarray, labels: np.ndarray, count: int) -> Part:
        pixels = np.rint(images[:count] * 255).astype(np.uint8)
        return Part(pixels.reshape(count, 28, 28), labels[:count].copy())

    return Found(part(*mnist.train, 210), part(*mnist.test, 70))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, in which the test also works; no tool's variables are set."""
    for variable in ("CHAINRULE_HOME", "CHAINRULE_OFFLINE", "KERAS_HOME", "SCIKIT_LEARN_DATA"):
        monkeypatch.delenv(variable, raising=False)
    empty = tmp_path / "home"
    empty.mkdir()
    monkeypatch.setenv("HOME", str(empty))
    monkeypatch.setenv("USERPROFILE", str(empty))
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty / ".cache"))
    monkeypatch.chdir(empty)
    return empty

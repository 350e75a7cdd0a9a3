"""Files of a run folder for other programs: config.toml, history.jsonl, report.json."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import SaveError
from chainrule.core.files import write_atomically
from chainrule.core.version import __version__
from chainrule.data.dataset import Dataset
from chainrule.experiments.settings import Settings, as_toml, text
from chainrule.runs.origin import Origin
from chainrule.training.train import Epoch

LARGEST = 512 << 20
"""Bytes of one of these files, or of a picture, that are read: more than any that is written."""


@contextmanager
def saving(folder: Path, what: str, *, remedy: str) -> Iterator[None]:
    """Context manager: a file of a run that cannot be written is a SaveError with the remedy."""
    try:
        yield
    except SaveError:
        raise
    except OSError as error:
        raise SaveError(
            f"{folder}: {what} could not be saved ({error.strerror or error}); make room, {remedy}"
        ) from None


def write_config(
    folder: Path, settings: Settings, data: Dataset, *, recipe: str, origin: Origin
) -> None:
    """Writes config.toml: everything that determines the result, for `train --config`."""
    tables = {
        "run": {"recipe": recipe},
        "data": origin.as_config(),
        "checksums": data.checksums,
    }
    write_tables(folder, tables, before=as_toml(settings))


def write_tables(folder: Path, tables: dict[str, dict[str, Any]], *, before: str = "") -> None:
    """Writes config.toml: the text `before`, the tables, and the versions they were made with."""
    environment = {
        "chainrule": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }
    lines = [before] if before else []
    for name, values in (tables | {"environment": environment}).items():
        lines += [f"[{name}]", *(f"{key} = {text(value)}" for key, value in values.items()), ""]
    write_atomically(folder / "config.toml", "\n".join(lines).encode())


def write_history(folder: Path, history: list[Epoch]) -> None:
    """Writes history.jsonl: one JSON object an epoch."""
    lines = [json.dumps(asdict(epoch)) + "\n" for epoch in history]
    write_atomically(folder / "history.jsonl", "".join(lines).encode())


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Writes report.json: the figures of the run."""
    write_atomically(folder / "report.json", (json.dumps(report, indent=2) + "\n").encode())

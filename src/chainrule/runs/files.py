"""Files of a run folder for other programs: config.toml, history.jsonl, report.json.

A folder may come from a stranger: its files are read only if they are ordinary ones of bounded
size, not links to others, and written atomically, which replaces a link and follows none.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np

from chainrule.core.errors import ModelFileError, NewerFormatError, SaveError
from chainrule.core.files import read_own, write_atomically
from chainrule.core.formats import refuse_newer
from chainrule.core.tensor_file import read_sealed
from chainrule.core.version import __version__
from chainrule.data.dataset import Dataset
from chainrule.experiments.settings import (
    RUN_FORMAT,
    Settings,
    as_toml,
    check_length,
    text,
)
from chainrule.monitor.events import BY_HAND, FILE, read_events
from chainrule.nn.model_file import FORMATS
from chainrule.runs.origin import Origin
from chainrule.runs.values import read_config
from chainrule.training.checkpoint_values import check_epoch
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


def as_config(
    settings: Settings,
    data: Dataset,
    *,
    recipe: str,
    origin: Origin,
    start: Mapping[str, str] | None = None,
) -> bytes:
    """Content of config.toml: everything that determines the result, for `train --config`.

    Raises ConfigError for what cannot be written, or would be too long to be read again.
    """
    tables = {
        "run": {"recipe": recipe, "format": RUN_FORMAT, **(start or {})},
        "data": origin.as_config(),
        "checksums": data.checksums,
    }
    return as_tables(tables, before=as_toml(settings))


def as_tables(tables: dict[str, dict[str, Any]], *, before: str = "") -> bytes:
    """Content of config.toml: the text `before`, the tables, the versions they were made with."""
    environment = {
        "chainrule": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }
    lines = [before] if before else []
    for name, values in (tables | {"environment": environment}).items():
        lines += [f"[{name}]", *(f"{key} = {text(value)}" for key, value in values.items()), ""]
    content = "\n".join(lines).encode()
    check_length(Path("config.toml"), content)
    return content


def write_config(folder: Path, content: bytes) -> None:
    """Writes config.toml."""
    write_atomically(folder / "config.toml", content)


def begin(folder: Path, config: bytes, *, remedy: str) -> None:
    """Writes the config.toml of a new run; where that fails (SaveError), its name is free again."""
    try:
        with saving(folder, "its settings", remedy=remedy):
            write_config(folder, config)
    except SaveError:
        rmtree(folder, ignore_errors=True)
        raise


def write_history(folder: Path, history: list[Epoch]) -> None:
    """Writes history.jsonl: one JSON object an epoch."""
    lines = [json.dumps(asdict(epoch)) + "\n" for epoch in history]
    write_atomically(folder / "history.jsonl", "".join(lines).encode())


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Writes report.json: the figures of the run."""
    write_atomically(folder / "report.json", (json.dumps(report, indent=2) + "\n").encode())


def check_version(folder: Path) -> None:
    """Raises NewerFormatError or ConfigError if a later version wrote into the folder."""
    read_config(folder / "config.toml")
    try:
        read_sealed(folder / "model.safetensors", format=FORMATS)
    except NewerFormatError:
        raise
    except (ModelFileError, OSError):
        pass  # it is written again from the checkpoint
    readers: list[Callable[[], object]] = [
        partial(read_report, folder),
        partial(read_history, folder),
        *(partial(read_events, folder / name) for name in (FILE, BY_HAND)),
    ]
    for reader in readers:
        try:
            reader()
        except NewerFormatError:
            raise
        except (ValueError, OSError):
            pass


def _content(path: Path) -> bytes:
    """Content of a file of a run folder; ValueError for a link, or what no file of ours can be."""
    try:
        return read_own(path, LARGEST, follow_links=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None


def read_report(folder: Path) -> dict[str, Any]:
    """report.json of a run. Raises OSError, ValueError, NewerFormatError."""
    path = folder / "report.json"
    report = _table(_content(path), f"{path}: not a report")
    refuse_newer(path, report.get("format"), RUN_FORMAT)
    return report


def read_history(folder: Path) -> list[dict[str, Any]]:
    """history.jsonl of a run, each epoch checked. Raises OSError, ValueError, NewerFormatError."""
    path = folder / "history.jsonl"
    epochs = []
    for number, line in enumerate(_content(path).splitlines(), 1):
        wrong = f"{path}, line {number}: not a history of epochs"
        epoch = _table(line, wrong)
        refuse_newer(path, epoch.get("format"), RUN_FORMAT)
        try:
            check_epoch(epoch, number)
        except ValueError as error:
            raise ValueError(f"{wrong} ({error}); train it again") from None
        epochs.append(epoch)
    return epochs


def _table(raw: bytes, wrong: str) -> dict[str, Any]:
    """The JSON object in these bytes; ValueError, beginning with `wrong`, if there is none."""
    try:
        table = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{wrong} ({error}); train it again") from None
    if not isinstance(table, dict):
        raise ValueError(f"{wrong}; train it again")
    return table

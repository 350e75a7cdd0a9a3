"""Wrong values under right checksums: refused by name, or trained on to finite numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.core.errors import DivergenceError, ModelFileError
from chainrule.core.fingerprint import fingerprint
from chainrule.core.tensor_file import Tensors, read_sealed, write_sealed
from chainrule.experiments.job import prepare, run
from chainrule.experiments.settings import Settings
from chainrule.runs.origin import load_data
from chainrule.runs.position import check_position
from chainrule.runs.request import Request
from chainrule.runs.run import train_run
from chainrule.training.checkpoint import FORMAT, HISTORY, read_checkpoint
from chainrule.training.checkpointer import Checkpointer, Every
from chainrule.training.state import Progress
from stress.tamper import __main__ as tampering

Change = Callable[[Tensors, dict[str, Any], list[dict[str, Any]]], object]


@pytest.fixture(autouse=True)
def _as_outside_the_tests():
    with np.errstate(all="warn", under="ignore"):
        yield


@pytest.mark.parametrize("changes", [100, pytest.param(1500, marks=pytest.mark.long)])
def test_no_traceback_and_nothing_that_is_not_finite(changes: int, capsys) -> None:
    assert tampering.main(["--changes", str(changes), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["refused"] > changes / 2
    assert figures["finished"] > changes / 20


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Request, Path]:
    """(request to resume a run, its checkpoint after two epochs)."""
    with np.errstate(all="warn", under="ignore"):
        request, paths = tampering.base(tmp_path_factory.mktemp("tampered").resolve())
    return request, next(path for path in paths if path.stem.endswith("10"))


def number(name: str, value: object) -> Change:
    return lambda arrays, progress, history: progress.update({name: value})


def epoch(name: str, value: object) -> Change:
    return lambda arrays, progress, history: history[0].update({name: value})


def holding(name: str, value: float, at: Any = 0) -> Change:
    return lambda arrays, progress, history: arrays[name].__setitem__(at, value)


ALL = slice(None)
CASES: dict[str, Change] = {
    "loss of the progress": number("loss", -1e300),
    "the loss of the current epoch is 0.5": number("objective", 0.5),
    "seconds of the progress": number("seconds", 2**63),
    "best_loss is": number("best_loss", 2**63),
    "best_loss is 0.125 where": number("best_loss", 0.125),
    "best_step is": number("best_step", 5_000),
    "waited is": number("waited", 3),
    "the loss of epoch 1 is 1e+300": epoch("objective", 1e300),
    "loss of the epoch 1": epoch("loss", -1.0),
    "validation_loss of the epoch 1": epoch("validation_loss", float("-inf")),
    "validation loss of epoch 1": epoch("validation_loss", 1e300),
    "epoch 1 was validated": epoch("validation_loss", None),
    "seconds of the epoch 1": epoch("seconds", 2**63),
    "learning_rate of the epoch 1": epoch("learning_rate", 1e300),
    "optimizer.v has a value, or a sum": holding("optimizer.v", 3e38, ALL),
    "the weights became infinite in its kept": holding("kept", 3e38),
    "the weights became infinite in its best": holding("best", 3e38),
    "the weights became infinite in its average": holding("average", 3e38),
    "the weights became infinite in its parameters": holding("parameters", 3e38),
    "'more'": lambda arrays, progress, history: arrays.update(more=np.zeros(3)),
    "'kept'": lambda arrays, progress, history: arrays.pop("kept"),
    "'best'": lambda arrays, progress, history: arrays.update(best=arrays["best"][:-1]),
    "'average'": lambda arrays, progress, history: arrays.update(
        average=arrays["average"].astype(np.float64)
    ),
    "best of the schedule": lambda arrays, progress, history: progress["schedule"].update(best=-9),
}


def resumed(saved: tuple[Request, Path], change: Change, **texts: object) -> None:
    """Resumes the run from its checkpoint after the change."""
    request, path = saved
    assert request.resume
    arrays, words = read_sealed(path, format=FORMAT)
    arrays = {name: values.copy() for name, values in arrays.items()}
    history = json.loads(arrays.pop(HISTORY).tobytes())
    progress = json.loads(words["progress"])
    change(arrays, progress, history)
    there = request.resume / "checkpoints"
    there.mkdir(exist_ok=True)
    for old in there.iterdir():
        old.unlink()
    arrays[HISTORY] = np.frombuffer(json.dumps(history).encode(), np.uint8)
    more = {name: json.dumps(value) for name, value in texts.items()}
    write_sealed(there / path.name, arrays, words | {"progress": json.dumps(progress)} | more)
    train_run(request, say=tampering.ignored)


@pytest.mark.parametrize("why", CASES)
def test_a_value_that_the_run_cannot_have_is_refused_with_the_file_s_name(saved, why: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        resumed(saved, CASES[why])
    assert why in str(caught.value)
    assert "checkpoints/step-000000010.safetensors: " in str(caught.value)
    assert len(list((saved[0].resume / "checkpoints").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("numerics", {"BLAS": "\x1b[2Jx"}),
        ("numerics", {"\x1b[2J": "x"}),
        ("numerics", {"BLAS": "x" * 5000}),
        ("settings", {"\x1b[2J": 1}),
        ("checksums", {"\x7f": "x"}),
    ],
)
def test_texts_that_are_printed_are_printable(saved, name: str, table: dict[str, object]) -> None:
    with pytest.raises(ModelFileError, match=f"000010.safetensors: .*its {name} hold ") as caught:
        resumed(saved, lambda *_: None, **{name: table})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("rate", [1e-3, 1e4])
@pytest.mark.parametrize(
    "more",
    [
        {"batch_norm": True, "average": 0.9, "patience": 1, "schedule": "plateau"},
        {"optimizer": "sgd", "l2": 0.1, "warm_up": 1.0, "schedule": "plateau"},
        {"optimizer": "momentum", "label_smoothing": 0.1, "validation": 0, "batch_norm": True},
        {"optimizer": "rmsprop", "dtype": "float64", "average": 0.5, "schedule": "cosine"},
        {"optimizer": "sgd", "dtype": "float64", "loss": "mean-squared-error", "patience": 2},
    ],
    ids=lambda more: "-".join(map(str, more.values())),
)
def test_whatever_a_run_writes_is_read_even_one_that_diverges(
    saved, tmp_path: Path, rate: float, more: dict[str, Any]
) -> None:
    asked_for = Settings(
        **{"layers": (36, 8, 3), "epochs": 4, "batch_size": 20, "validation": 20} | more,
        learning_rate=rate,
    )
    data = load_data(saved[0].origin, offline=True, report=tampering.ignored)
    job = prepare(asked_for, data)
    progress, history, written = Progress(), list[dict[str, Any]](), list[int]()
    checkpointer = Checkpointer(
        tmp_path, Every(), asdict(job.settings), {}, fingerprint(1, compiled=False), progress,
        history, lambda: False, pytest.fail,
    )  # fmt: skip

    def stop() -> bool:
        checkpointer.save()
        if path := max(tmp_path.glob("step-*"), default=None):
            check_position(read_checkpoint(path), prepare(asked_for, data))
            written.append(progress.step)
        return False

    with suppress(DivergenceError):
        for each in run(job, stop=stop, progress=progress):
            history.append(asdict(each))
    stop()
    assert len(written) > 5 or rate > 1e-3

"""Checkpoints of a run: the latest whole one wins, the last three and the best stay."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.errors import ModelFileError
from chainrule.core.tensor_file import read_sealed, write_sealed
from chainrule.training.checkpoint import (
    FORMAT,
    Checkpoint,
    latest,
    read_checkpoint,
    write_checkpoint,
)
from chainrule.training.state import Progress
from helpers.damage import believed_flips


class Following(Progress):
    """A progress of its own, without a run behind it."""

    def numbers(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "arrays"}


def checkpoint(step: int, best_step: int = 0) -> Checkpoint:
    progress = Following(step=step, best_step=best_step, best_loss=0.5)
    progress.arrays = {"parameters": np.full(40, step, np.float32)}
    return Checkpoint(progress, [epoch(1)], {"seed": step}, {"train": "abc"}, {"numpy": "2"})


def epoch(number: int) -> dict[str, object]:
    """A record of an epoch."""
    losses = {"loss": 0.12345678901234567, "objective": 0.1, "validation_loss": None}
    more = {"validation_accuracy": None, "learning_rate": 0.1, "seconds": 0.123456789}
    return {"epoch": number, "step": number} | losses | more


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_history_of_twenty_thousand_epochs_is_read_again(tmp_path: Path) -> None:
    long = replace(checkpoint(12), history=[epoch(number) for number in range(1, 20_001)])
    write_checkpoint(tmp_path, long)
    found = latest(tmp_path, report=pytest.fail)
    assert found
    assert found.history == long.history
    assert set(found.progress.arrays) == {"parameters"}


def test_what_a_reader_would_refuse_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "long.safetensors"
    with pytest.raises(ModelFileError, match=r"a description of 1,\d{3},\d{3} bytes: at most"):
        write_sealed(path, {}, {"format": FORMAT, "settings": "x" * (1 << 20)})
    with pytest.raises(ModelFileError, match="5,000 tensors and"):
        write_sealed(path, {f"{i}": np.zeros(1) for i in range(5000)}, {"format": FORMAT})
    assert not list(tmp_path.iterdir())


def test_what_was_saved_is_found_again(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "new", checkpoint(12))
    found = latest(tmp_path / "new", report=pytest.fail)
    assert found
    assert (found.progress.step, found.progress.best_loss) == (12, 0.5)
    np.testing.assert_array_equal(found.progress.arrays["parameters"], np.full(40, 12))
    assert (found.history, found.settings) == ([epoch(1)], {"seed": 12})
    assert (found.checksums, found.numerics) == ({"train": "abc"}, {"numpy": "2"})


def test_the_last_three_and_the_best_stay(tmp_path: Path) -> None:
    for step in range(10, 90, 10):
        write_checkpoint(tmp_path, checkpoint(step, best_step=20 if step >= 20 else 0))
    assert names(tmp_path) == [f"step-{step:09d}.safetensors" for step in (20, 60, 70, 80)]


def test_the_newest_is_the_one_with_most_steps_whatever_the_clock_says(tmp_path: Path) -> None:
    for step in (5, 999_999_999, 1_000_000_000, 7):
        write_checkpoint(tmp_path, checkpoint(step))
    found = latest(tmp_path, report=pytest.fail)
    assert found
    assert found.progress.step == 1_000_000_000


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "pickle"])
def test_a_damaged_one_is_named_and_skipped(tmp_path: Path, damage: str) -> None:
    write_checkpoint(tmp_path, checkpoint(1))
    path = write_checkpoint(tmp_path, checkpoint(2))
    content = bytearray(path.read_bytes())
    content[-3] ^= 16 if damage == "flip" else 0
    end = {"cut": -1, "empty": 0}.get(damage, len(content))
    path.write_bytes(b"\x80\x04N." if damage == "pickle" else bytes(content[:end]))
    said: list[str] = []
    found = latest(tmp_path, report=said.append)
    assert found
    assert found.progress.step == 1
    assert len(said) == 1
    assert path.name in said[0]
    assert said[0].startswith("skipped: ")


def test_every_single_bit_counts(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(3))
    assert not believed_flips(path, read_checkpoint)
    read_checkpoint(path)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(3))
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            read_checkpoint(path)


def test_a_model_file_is_no_checkpoint(tmp_path: Path) -> None:
    from chainrule.nn.model_file import save
    from chainrule.nn.network import Network

    path = save(Network.dense([3, 2], rng=np.random.default_rng(0)), tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="this program reads 'chainrule-run-1'"):
        read_checkpoint(path)


def test_a_header_that_claims_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "step-000000001.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 40) + b"{}" + bytes(64))
    with pytest.raises(ModelFileError, match="header length is 1,099,511,627,776"):
        read_checkpoint(path)


def test_no_folder_and_an_empty_one_have_no_checkpoint(tmp_path: Path) -> None:
    assert latest(tmp_path / "none", report=pytest.fail) is None
    (tmp_path / "step-1.safetensors").write_bytes(b"not named as we name them")
    assert latest(tmp_path, report=pytest.fail) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("progress", {"step": "3"}),
        ("progress", {"best_loss": True}),
        ("progress", {"schedule": []}),
        ("history", [3]),
        ("history", {}),
    ],
)
def test_a_forged_one_with_words_of_another_kind_is_refused(
    tmp_path: Path, name: str, words: object
) -> None:
    path = write_checkpoint(tmp_path, checkpoint(3))
    arrays, good = read_sealed(path, format=FORMAT)
    if name == "progress":
        good[name] = json.dumps(json.loads(good[name]) | words)
    else:
        arrays[name] = np.frombuffer(json.dumps(words).encode(), np.uint8)
    write_sealed(path, arrays, good)
    with pytest.raises(ModelFileError, match="not a valid checkpoint"):
        read_checkpoint(path)

"""The short form of `make recovery`, and what it counts as broken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chainrule.training.checkpoint import write_checkpoint
from stress.recovery import __main__ as recovery
from stress.recovery.damage import KINDS, damage, of_later_format
from training.test_checkpoint import checkpoint


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.long)])
def test_a_run_recovers_from_kills_and_damage(
    kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recovery.main(["--kills", str(kills), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["kills"] == kills
    assert figures["damaged"] >= kills / 2
    assert figures["runs"] >= 1


@pytest.fixture
def patient(tmp_path: Path) -> recovery.Patient:
    """A run with checkpoints of steps 1 to 3."""
    found = recovery.Patient(tmp_path, recovery.Figures())
    found.run.mkdir(parents=True)
    for step in (1, 2, 3):
        write_checkpoint(found.run / "checkpoints", checkpoint(step))
    return found


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("seed", range(6))
def test_damage_of_every_kind_is_damage(patient: recovery.Patient, kind: int, seed: int) -> None:
    path = patient.whole()[0]
    before = path.read_bytes()
    after = KINDS[kind](before, np.random.default_rng(seed))
    if after != before:
        path.write_bytes(after)
        assert patient.step() == 2


def test_the_newest_are_damaged_and_remembered(patient: recovery.Patient) -> None:
    patient.damage(np.random.default_rng(1))
    assert patient.step() < 3
    assert patient.figures.damaged == len(patient.hurt) == 3 - len(patient.whole())
    for name, content in patient.hurt:
        assert (patient.run / "checkpoints" / name).read_bytes() == content


def test_zeros_where_there_were_zeros_are_damage_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(bytes(100))
    for seed in range(20):
        damage(path, np.random.default_rng(seed))
        assert path.read_bytes() != bytes(100)
        path.write_bytes(bytes(100))


def test_a_later_format_is_whole_and_no_checkpoint_of_ours(patient: recovery.Patient) -> None:
    of_later_format(patient.whole()[0])
    assert patient.step() == 2


BEGIN = "no whole checkpoint, so training starts from the beginning\n"


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        ("resuming runs/victim after 1 epochs, step 3\n", 0),
        ("resuming runs/victim after 1 epochs, step 2\n", 1),
        (BEGIN, 1),
        ("", 1),
        ("resuming runs/victim after 1 epochs, step 3\nTraceback (most recent call last):\n", 1),
    ],
)
def test_a_wrong_start_is_counted(
    patient: recovery.Patient, monkeypatch: pytest.MonkeyPatch, said: str, broken: int
) -> None:
    (patient.run / "config.toml").write_text("")
    monkeypatch.setattr(recovery, "live", lambda folder, rng: (0, said))
    assert patient.resumed(None) == 0
    assert patient.figures.failures() == broken


def test_a_damaged_file_that_is_gone_is_counted(
    patient: recovery.Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.damage(np.random.default_rng(1))
    monkeypatch.setattr(recovery, "live", lambda folder, rng: (-9, ""))
    patient.resumed(None)
    assert patient.figures.failures() == 0
    (patient.run / "checkpoints" / patient.hurt[0][0]).unlink()
    patient.resumed(None)
    assert patient.figures.lost == 1

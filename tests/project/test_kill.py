"""The short form of `make kill`: training killed some dozen times loses nothing."""

from __future__ import annotations

import json

import pytest

from stress.kill import __main__ as torture


@pytest.mark.parametrize("kills", [10, pytest.param(30, marks=pytest.mark.long)])
def test_kills_lose_nothing_and_change_nothing(
    kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert torture.main(["--kills", str(kills), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["kills"] == kills
    assert figures["runs"] >= 2
    assert figures["kills_while_training"] >= kills / 2
    assert figures["runs_that_ended_otherwise"] == 0


def test_a_corrupt_checkpoint_is_counted(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "step-000000004.safetensors").write_bytes(b"half of it")
    figures = torture.Figures()
    assert torture.steps(tmp_path, figures) == 0
    assert figures.checkpoints_corrupt == 1
    assert figures.failures() == 1
    assert "step-000000004.safetensors" in capsys.readouterr().err

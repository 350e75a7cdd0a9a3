"""Run folders are found by their names, and a wrong name names what there is."""

from __future__ import annotations

import pytest

from chainrule.core.errors import ConfigError
from chainrule.runs.folder import find, run_folder


def test_of_many_runs_a_few_are_named(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        folder = tmp_path / "runs" / f"r{number:02}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").touch()
        if number < 8:
            (folder / "config.toml").touch()
    with pytest.raises(ConfigError, match=r": there are r00, .*, r06, r07 and 12 more in runs/$"):
        find("none")
    with pytest.raises(ConfigError, match=r": there are r00, .*, r06, r07$"):
        run_folder("none")


def test_a_misspelt_run_names_the_nearest(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "yours"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "model.safetensors").touch()
    with pytest.raises(ConfigError, match=r"'mien': did you mean mine\? there are mine, yours$"):
        find("mien")
    with pytest.raises(ConfigError, match=r"'record': there are mine, yours$"):
        find("record")

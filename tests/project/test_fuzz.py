"""The short form of `make fuzz`: thousands of damaged files a reader, and proof that it finds."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.errors import DataError
from chainrule.data.readers import formats
from stress.fuzz import __main__ as fuzz
from stress.fuzz import runs
from stress.fuzz.dice import Dice, damaged
from stress.fuzz.readers import READERS, Reader

ROOT = Path(__file__).parents[2]
LEAST_ACCEPTED, LEAST_REFUSED = 0.01, 0.3
"""Shares: files that are all refused at their first bytes, or all accepted, would show nothing."""


@pytest.mark.parametrize("inputs", [2000, pytest.param(20_000, marks=pytest.mark.long)])
def test_thousands_of_damaged_files_for_each_reader_are_read_or_refused(
    inputs: int, tmp_path: Path
) -> None:
    """In a process of its own: the checks of shapes that the tests switch on take half the time."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "stress.fuzz",
        "--inputs",
        str(inputs),
        "--jobs",
        "1",
    ]
    done = subprocess.run(
        [*command, "--json", "--keep", str(tmp_path / "findings")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(Path(formats.__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert set(counts) == set(READERS)
    for name, count in counts.items():
        assert count["inputs"] == inputs
        assert count["accepted"] + count["refused"] == inputs
        assert count["accepted"] >= LEAST_ACCEPTED * inputs, name
        assert count["refused"] >= LEAST_REFUSED * inputs, name


@pytest.mark.parametrize("name", READERS)
def test_every_reader_reads_the_files_that_are_damaged(name: str, tmp_path: Path) -> None:
    for data in READERS[name].good():
        READERS[name].read(data, tmp_path / "file")


@pytest.mark.parametrize("name", READERS)
def test_the_same_seed_makes_the_same_files(name: str) -> None:
    first, again, other = (
        [data for data, _ in zip(runs.files(name, seed, 3), range(40), strict=False)]
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


def test_the_shares_of_the_work_are_all_of_it() -> None:
    assert list(fuzz.shares(120_500)) == [(0, 50_000), (50, 50_000), (100, 20_500)]


def plant(monkeypatch: pytest.MonkeyPatch, hole: Callable[[bytes], object]) -> None:
    """A hole in the reader of IDX files."""
    whole = READERS["idx"]

    def read(data: bytes, path: Path) -> object:
        hole(data)
        return whole.read(data, path)

    monkeypatch.setitem(READERS, "idx", dataclasses.replace(whole, read=read))


def findings(folder: Path, capsys: pytest.CaptureFixture[str], *, inputs: int = 3000) -> list[str]:
    arguments = ["--only", "idx", "--inputs", str(inputs), "--jobs", "1", "--keep", str(folder)]
    assert fuzz.main(arguments) == 1
    return capsys.readouterr().err.splitlines()


def test_a_planted_exception_is_found_written_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hole(data: bytes) -> None:
        if data[4:8] == b"\xff\xff\xff\xff":
            raise IndexError("the planted hole")

    plant(monkeypatch, hole)
    lines = findings(tmp_path, capsys)
    assert lines
    for line in lines:
        path, what = line.split(": ", 1)
        assert Path(path).read_bytes()[4:8] == b"\xff\xff\xff\xff"
        assert what.startswith("IndexError: the planted hole (test_fuzz.py:")


def test_a_planted_delay_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "SLOWEST", 0.02)

    def hole(data: bytes) -> None:
        if len(data) == 9:
            end = time.process_time() + 0.04
            while time.process_time() < end:
                pass

    plant(monkeypatch, hole)
    lines = findings(tmp_path, capsys, inputs=1000)
    assert lines
    assert all(re.search(r"0\.\d\d s$", line) for line in lines)


def test_a_planted_endless_loop_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "HANGING", 0.2)

    def hole(data: bytes) -> None:
        while len(data) == 9:
            pass

    plant(monkeypatch, hole)
    lines = findings(tmp_path, capsys, inputs=500)
    assert lines
    assert all("Hanging: over 0.2 s" in line for line in lines)


def test_planted_hunger_for_memory_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runs, "MOST_MEMORY", 20)
    plant(monkeypatch, lambda data: np.ones(2**25).sum() if len(data) == 9 else None)
    gc.collect()  # what other tests left must not be freed meanwhile: it would hide the hunger
    assert findings(tmp_path, capsys) == []


def test_something_accepted_that_is_not_sound_is_found(tmp_path: Path) -> None:
    def read(_data: bytes, _path: Path) -> None:
        raise AssertionError

    reader = Reader(lambda dice: dice.noise(), read, DataError, lambda: (b"",))
    count = runs.Count()
    assert runs.attempt(reader, b"x", tmp_path / "a", count).startswith("AssertionError")
    assert (count.others, count.accepted, count.refused) == (1, 0, 0)
    assert count.failed()


def test_the_table_tells_each_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--only", "idx,csv", "--inputs", "1200", "--jobs", "2", "--keep", str(tmp_path)]
    assert fuzz.main(arguments) == 0
    told = capsys.readouterr().out
    assert "1,200 damaged files for each reader, seed 0" in told
    assert [line.split()[:2] for line in told.splitlines() if "1,200 " in line][1:] == [
        ["idx", "1,200"],
        ["csv", "1,200"],
    ]


def test_an_unknown_reader_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fuzz.main(["--only", "mp3"])
    assert "no reader 'mp3': choose among idx" in capsys.readouterr().err


def test_damage_changes_nearly_every_file_and_copes_with_none() -> None:
    dice = Dice(np.random.default_rng(0))
    whole = bytes(range(100))
    assert sum(damaged(whole, dice) != whole for _ in range(500)) > 450
    assert isinstance(damaged(b"", dice), bytes)

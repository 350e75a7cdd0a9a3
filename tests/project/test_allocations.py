"""The short form of `make allocations`, and what it counts as broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stress.allocations import __main__ as allocations
from stress.allocations import place
from stress.allocations.one_by_one import tried

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
WIDTH = 800


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data in every format, and a run."""
    found = tmp_path_factory.mktemp("place").resolve()
    place.make(found, 100, 300)
    return found


@pytest.mark.parametrize("case", ["data.npz"])
def test_single_allocations_that_fail_leave_files_whole(folder: Path, case: str) -> None:
    pytest.importorskip("_testcapi")
    row = allocations.one_by_one(folder, 90, [case])
    assert row.held, row
    assert "0 of which" not in row.what


@ON_LINUX
@pytest.mark.parametrize("name", ["resume", "data data.csv", "model load"])
def test_a_command_without_memory_ends_in_a_sentence(folder: Path, name: str) -> None:
    command = next(one for one in allocations.commands(WIDTH) if one.name == name)
    assert allocations.limited(folder, command, 0.05) == (True, "")


def test_what_is_broken_is_counted() -> None:
    pytest.importorskip("_testcapi")

    def liar() -> list[object]:
        try:
            return [object() for _ in range(9)]
        except MemoryError:
            return []

    figures = tried(liar, lambda found: len(found) == 9, lambda: "", 1)
    assert figures.broken
    assert all(wrong.endswith("another result") for wrong in figures.broken)
    assert tried(list, lambda found: True, lambda: "a file is left", 1).broken

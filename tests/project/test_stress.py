"""The table of `make stress`: every part is there, and a broken promise is never a good end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stress import __main__ as stress
from stress.table import Row, at_most, none_of, print_rows

ROOT = Path(__file__).parents[2]


def test_every_folder_of_stress_tests_is_a_part() -> None:
    packages = {path.parent.name for path in (ROOT / "stress").glob("*/__main__.py")}
    assert packages == {*stress.PARTS} - {"long", "load"}
    for name in stress.PARTS:
        assert callable(stress.part(name))


def test_makefile_names_every_part() -> None:
    targets = (ROOT / "Makefile").read_text("utf-8")
    assert [name for name in stress.PARTS if f"\n{name}: " not in targets] == []


def test_a_row_is_held_up_to_its_bound() -> None:
    assert at_most("time", 10.0, 10.0, "s") == Row("time", "10 s", "<= 10 s", held=True)
    assert not at_most("time", 10.01, 10.0).held
    assert none_of("lost", 0, "1,000").held
    assert none_of("lost", 1, "1,000") == Row("lost", "1 of 1,000", "0", held=False)


def test_what_breaks_is_said_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(short: bool) -> Iterator[Row]:
        assert short
        yield Row("first", "1")
        raise OSError("no port")

    parts = {"kill": breaks, "load": lambda short: iter([none_of("lost", 1, "9")])}
    monkeypatch.setattr(stress, "part", parts.__getitem__)
    assert stress.main(["--short", "kill", "load"]) == 1
    told = capsys.readouterr().out
    assert "| first | 1 |  |  |" in told
    assert "| kill | OSError: no port | runs to its end | **BROKEN** |" in told
    assert "| lost | 1 of 9 | 0 | **BROKEN** |" in told
    assert "2 promises broken" in told


def test_what_holds_is_a_good_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stress, "part", lambda name: lambda short: iter([Row(name, "1", "1")]))
    assert stress.main([]) == 0
    told = capsys.readouterr().out
    assert told.count("| held |") == len(stress.PARTS)
    assert print_rows([]) == 0


def test_a_part_that_does_not_exist_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        stress.main(["nothing"])
    assert "invalid choice: 'nothing'" in capsys.readouterr().err

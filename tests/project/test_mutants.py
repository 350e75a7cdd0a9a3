"""Planted bugs: each can still be planted, and the search for them finds some and can fail.

All of them are looked for by `python -m stress.mutants`, which takes minutes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stress.mutants.__main__ import (
    ROOT,
    Answer,
    Bug,
    CannotTestError,
    ask,
    bugs,
    copied,
    main,
    objections,
    seek,
)

BUGS = {bug.name: bug for bug in bugs()}
QUICK = (
    "The checksum misses the numbers of the tensors",
    "The last batch is dropped where it is smaller",
    "What a worker raises is swallowed",
)


def test_there_are_forty_at_least_each_with_a_name_of_its_own() -> None:
    assert len(BUGS) == len(bugs()) >= 40
    assert len({(bug.file, bug.old, bug.new) for bug in BUGS.values()}) == len(BUGS)


@pytest.mark.parametrize("name", BUGS)
def test_each_still_has_its_place_and_its_tests(name: str) -> None:
    assert objections(BUGS[name]) == []


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_turns_its_tests_red(name: str) -> None:
    result, answer = seek(ROOT, BUGS[name])
    assert result == "red"
    assert answer
    assert answer.first.partition("[")[0] in BUGS[name].tests


def harmless() -> Bug:
    bug = BUGS[QUICK[1]]
    return replace(bug, new=f"{bug.old}  # the same")


def test_what_is_no_bug_is_not_found() -> None:
    assert seek(ROOT, harmless())[0] == "NOT FOUND"


GREEN, RED, BROKEN = Answer(0, "", 1.0, ""), Answer(1, "a test", 1.0, "F"), Answer(2, "", 1.0, "E")


@pytest.mark.parametrize(
    ("before", "after", "code", "words"),
    [
        (GREEN, RED, 0, "1 bugs: 1 red, 0 not found, 0 not asked"),
        (GREEN, GREEN, 1, "1 bugs: 0 red, 1 not found, 0 not asked"),
        (GREEN, BROKEN, 1, "1 bugs: 0 red, 1 not found, 0 not asked"),
        (RED, RED, 1, "These fail without a bug, and can show none: data/test_batches.py::"),
    ],
)
def test_all_is_well_only_if_green_turns_red(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    before: Answer,
    after: Answer,
    code: int,
    words: str,
) -> None:
    answers = iter([before, after])
    monkeypatch.setattr("stress.mutants.__main__.bugs", lambda: [harmless()])
    monkeypatch.setattr("stress.mutants.__main__.ask", lambda root, tests: next(answers))
    assert main([]) == code
    assert words in capsys.readouterr().out


def test_a_module_that_is_missing_is_named_instead_of_taking_a_skip_for_green() -> None:
    missing = replace(harmless(), needs="no_such_module")
    assert seek(ROOT, missing) == ("not asked: no_such_module is missing", None)


def test_what_cannot_be_planted_is_told() -> None:
    bug = BUGS[QUICK[0]]
    cases = {
        "is not there": replace(bug, file="nowhere.py"),
        "occurs 0 times": replace(bug, old="no such text"),
        "times in core/tensor_file.py": replace(bug, old="import"),
        "changes nothing": replace(bug, new=bug.old),
        "test_nothing.py is not there": replace(bug, tests=("test_nothing.py",)),
        "::test_none is not there": replace(bug, tests=("training/test_checkpoint.py::test_none",)),
    }
    for words, case in cases.items():
        assert len(objections(case)) == 1
        assert words in objections(case)[0]


def test_the_bug_is_in_the_copy_only() -> None:
    bug = BUGS[QUICK[0]]
    before = (ROOT / "src/chainrule" / bug.file).read_text()
    with copied(ROOT, bug) as root:
        assert (root / "src/chainrule" / bug.file).read_text() == before.replace(bug.old, bug.new)
    assert (ROOT / "src/chainrule" / bug.file).read_text() == before
    assert not root.exists()


def test_tests_that_would_see_another_chainrule_are_not_run(tmp_path: Path) -> None:
    with pytest.raises(CannotTestError, match="would import"):
        ask(tmp_path, ["test_snapshots.py"])

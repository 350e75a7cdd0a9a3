"""docs/estimators.md: its Python runs, and the command that makes its table finds its place."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import estimators

PAGE = estimators.DOCUMENT.read_text()


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "estimators.md", "exec"), {})
    assert float(capsys.readouterr().out.split()[0]) > 0.95


@pytest.mark.parametrize("old", ["", "old\n"])
def test_the_table_is_written_between_its_marks(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "estimators.md"
    page.write_text(f"before\n<!-- measured -->\n{old}<!-- end -->\nafter\n")
    monkeypatch.setattr(estimators, "DOCUMENT", page)
    result = estimators.Result("iris", (150, 4), 1.9, 2.4, 1.1, 95.0, 95.2, -0.1, 0.3)
    estimators.write(estimators.table([result], [np.array([0.1, 0.2])], 0.5))
    lines = page.read_text().splitlines()
    assert lines[:2] == ["before", "<!-- measured -->"]
    assert "| iris | 150 x 4 | 1.9 | 2.4 | 1.1 | 95.0 | 95.2 | -0.1 to +0.3 |" in lines
    assert lines[-2:] == ["<!-- end -->", "after"]


def test_goals_that_are_missed_are_named() -> None:
    good = estimators.Result("iris", (150, 4), 1.9, 2.4, 1.1, 95.0, 95.2, -0.1, 0.3)
    assert estimators.missed([good]) == []
    (words,) = estimators.missed([good._replace(lbfgs=0.9)])
    assert words == "iris: lbfgs 0.90, goal 1.0"
    (words,) = estimators.missed([good._replace(low=-0.6)])
    assert "may be -0.60 points" in words


def test_there_are_ten_data_sets_one_of_them_sparse() -> None:
    assert len(estimators.SETS) == 10
    X, y = estimators.SETS["text-like, sparse"]()
    assert X.format == "csr"
    assert X.shape[0] == len(y)

"""The short form of `make sizes`: files of a few MiB, and what is refused for its size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chainrule.data.readers.archives import MIB
from stress.sizes import __main__ as sizes
from stress.sizes.files import MAKERS
from stress.sizes.measure import READERS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")


def test_every_kind_that_is_made_is_measured() -> None:
    assert [*MAKERS] == [*READERS]
    assert {*sizes.SLOW, *sizes.WIDE} < {*MAKERS}


@pytest.mark.parametrize("kind", ["npz of fractions", "checkpoint"])
def test_a_small_file_of_this_kind_keeps_what_is_promised(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SHORT", MIB)
    rows = list(sizes.at_cap(kind, tmp_path, short=True))
    assert len(rows) == 2
    assert all(row.held and row.promise for row in rows), rows


def test_a_file_above_its_cap_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SHORT", MIB)
    row = sizes.above_cap("npz", tmp_path)
    assert row.held, row
    assert row.promise == "refused unread"

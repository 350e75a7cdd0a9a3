"""A run folder has one writer at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainrule.core.errors import FolderInUseError
from chainrule.runs.lock import only_writer


def test_the_second_writer_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with only_writer(tmp_path):
        refusal = pytest.raises(FolderInUseError, match=f"process {os.getpid()} on .* is writing")
        with refusal, only_writer(tmp_path):
            pass


def test_after_the_first_comes_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        with only_writer(tmp_path):
            pass
    with pytest.raises(KeyError), only_writer(tmp_path):
        raise KeyError("what goes wrong inside")
    with only_writer(tmp_path):
        pass

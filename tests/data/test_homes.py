"""Users without a home folder, and homes that may not be looked at."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule.core import files
from chainrule.data.caches import cache_folder, exists, places
from chainrule.data.catalog import SOURCES
from chainrule.data.dataset import Dataset, Found
from chainrule.data.load import load

VARIABLES = ("CHAINRULE_HOME", "XDG_CACHE_HOME", "KERAS_HOME", "SCIKIT_LEARN_DATA")


@pytest.fixture
def homeless(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a user without a home works."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)

    def expanduser(path: str) -> str:
        return path

    monkeypatch.setattr(os.path, "expanduser", expanduser)
    monkeypatch.setenv("CHAINRULE_OFFLINE", "1")
    return home


def test_without_a_home_only_folders_outside_one_are_looked_at(homeless: Path) -> None:
    del homeless
    for name, source in SOURCES.items():
        found = places(name, source)
        assert {place.tool for place in found} == {"torchvision"}
        assert all(not str(place.path).startswith("~") for place in found)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_folder_that_is_given_needs_no_home(
    homeless: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(homeless))
    found = places("mnist", SOURCES["mnist"])
    assert any(homeless in place.path.parents for place in found)
    monkeypatch.setenv(variable, "~nobody/here")
    with pytest.raises(OSError, match="no home folder is known for the ~"):
        places("mnist", SOURCES["mnist"])


def test_the_cache_of_a_user_without_a_home_is_asked_for(homeless: Path) -> None:
    del homeless
    with pytest.raises(OSError, match="this user has no home folder; set CHAINRULE_HOME"):
        cache_folder()


@pytest.mark.parametrize("arguments", [("data",), ("data", "mnist"), ("data", "~/mine.csv")])
def test_no_home_is_one_sentence(
    homeless: Path, chainrule: Callable[..., object], arguments: tuple[str, ...]
) -> None:
    del homeless
    done = chainrule(*arguments)
    assert done.code == 1  # type: ignore[attr-defined]
    assert "error: " in done.err  # type: ignore[attr-defined]
    assert not Path("~").exists()


def test_data_found_by_a_user_without_a_home_are_used_and_not_kept(
    homeless: Path, mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chainrule.data import load as sources

    lines: list[str] = []
    (homeless / "data/MNIST/raw").mkdir(parents=True)
    monkeypatch.setattr(
        sources, "verified", lambda *_, **__: (Found(mnist.train, mnist.test), mnist)
    )
    assert load("mnist", report=lines.append) is mnist
    assert lines == [
        "mnist is not kept, the cache cannot be written: this user has no home folder; set "
        "CHAINRULE_HOME"
    ]


def test_a_home_that_may_not_be_looked_at_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "exists", refuse)
    assert not exists(Path("/root/.keras"))


def test_a_home_is_known_or_not(homeless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del homeless
    assert files.home() is None
    monkeypatch.undo()
    assert files.home() == Path.home()

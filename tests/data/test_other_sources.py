from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainrule.core.errors import DataError
from chainrule.data.caches import cache_folder
from chainrule.data.catalog import SOURCES, Source
from chainrule.data.dataset import Dataset, Found
from chainrule.data.load import load
from chainrule.data.readers.idx import FILES

FIRST, SECOND = "https://first.example/mnist/", "https://second.example/mnist/"


@pytest.fixture
def fashion(sample: Found, little: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    source = replace(
        little, arrays=None, openml=(), keras="fashion-mnist", torchvision="FashionMNIST"
    )
    monkeypatch.setitem(SOURCES, "fashion-mnist", source)
    return source


def test_without_array_sums_the_published_gz_files_are_kept(
    same: Callable[[Dataset, Found], None], home: Path, fashion: Source, sample: Found, mirrors: Any
) -> None:
    mirrors.serve(SECOND, sample)
    same(load("fashion-mnist"), sample)
    folder = cache_folder() / "fashion-mnist"
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        f"{x}.gz" for x in FILES.values()
    )
    assert "from cache" in load("fashion-mnist").source


def test_without_array_sums_plain_files_beside_the_gz_files_are_not_trusted(
    lay: Callable[..., Path],
    same: Callable[[Dataset, Found], None],
    home: Path,
    fashion: Source,
    sample: Found,
) -> None:
    folder = lay(home / "data" / "FashionMNIST" / "raw", sample, packed=True)
    lay(folder, Found(sample.test, sample.train))
    same(load("fashion-mnist", offline=True), sample)


def test_without_array_sums_a_changed_gz_file_is_not_taken(
    lay: Callable[..., Path], home: Path, fashion: Source, sample: Found
) -> None:
    lay(home / ".keras/datasets/fashion-mnist", Found(sample.test, sample.train), packed=True)
    with pytest.raises(DataError, match="has MD5"):
        load("fashion-mnist", offline=True)


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist"])
def test_the_other_sources_have_all_that_is_needed(name: str) -> None:
    source = SOURCES[name]
    assert len(source.classes) == 10
    assert set(source.md5) == set(FILES)
    assert all(len(md5) == 32 for md5 in source.md5.values())
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in source.mirrors)

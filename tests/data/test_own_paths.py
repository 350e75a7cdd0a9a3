from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.core.errors import DataError
from chainrule.data.catalog import SOURCES, Source
from chainrule.data.dataset import Dataset, Found
from chainrule.data.load import load
from chainrule.data.readers.idx import FILES


def test_a_path_with_both_parts_is_taken_as_it_is(
    lay: Callable[..., Path], same: Callable[[Dataset, Found], None], tmp_path: Path, sample: Found
) -> None:
    dataset = load(path=lay(tmp_path / "mine", sample))
    same(dataset, sample)
    assert (dataset.name, dataset.source) == ("mine", str(tmp_path / "mine"))


def test_a_path_with_the_published_data_gets_its_name(
    lay: Callable[..., Path], tmp_path: Path, little: Source, sample: Found
) -> None:
    assert load(path=lay(tmp_path / "mine", sample)).name == "mnist"


def test_a_path_with_one_part_is_divided_and_says_so(
    lay: Callable[..., Path], tmp_path: Path, sample: Found
) -> None:
    folder = lay(tmp_path, sample)
    dataset = load(path=folder / FILES["train_images"])
    assert len(dataset.train.labels) + len(dataset.test.labels) == 210
    assert len(dataset.test.labels) == pytest.approx(210 / 7, abs=5)
    assert "1 example in 7 of each class held out" in dataset.source


def test_a_second_path_is_the_test_part(
    lay: Callable[..., Path], same: Callable[[Dataset, Found], None], tmp_path: Path, sample: Found
) -> None:
    folder = lay(tmp_path, sample)
    dataset = load(path=folder / FILES["train_images"], test_path=folder / FILES["test_images"])
    same(dataset, sample)
    assert "test " in dataset.source


def test_a_home_path_is_expanded(
    lay: Callable[..., Path], same: Callable[[Dataset, Found], None], home: Path, sample: Found
) -> None:
    lay(home / "mine", sample)
    same(load(path="~/mine"), sample)


def test_classes_may_be_named(lay: Callable[..., Path], tmp_path: Path, sample: Found) -> None:
    lay(tmp_path, sample)
    names = [f"digit {k}" for k in range(12)]
    assert load(path=tmp_path, classes=names).classes == tuple(names)
    with pytest.raises(DataError, match=r"not one of the classes 0\.\.4"):
        load(path=tmp_path, classes=list("01234"))


def test_a_name_beside_a_path_names_the_classes(
    lay: Callable[..., Path], tmp_path: Path, sample: Found
) -> None:
    lay(tmp_path, sample)
    assert load("kmnist", path=tmp_path).classes == SOURCES["kmnist"].classes
    with pytest.raises(DataError, match="unknown data set 'letters'"):
        load("letters", path=tmp_path)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for half, names in (("one", "ab"), ("two", "ac")):
        for name in names:
            (tmp_path / half / name).mkdir(parents=True)
            for index in range(7):
                Image.new("L", (4, 4), index).save(tmp_path / half / name / f"{index}.png")
    return tmp_path


def test_sub_folders_name_the_classes(folders: Path) -> None:
    dataset = load(path=folders / "one")
    assert dataset.classes == ("a", "b")
    assert dataset.shape == (4, 4)
    assert np.bincount(dataset.test.labels).tolist() == [1, 1]


def test_folders_with_different_classes_do_not_go_together(folders: Path) -> None:
    with pytest.raises(DataError, match="give both the same sub-folders"):
        load(path=folders / "one", test_path=folders / "two")


def test_as_many_names_as_sub_folders_are_needed(folders: Path) -> None:
    assert load(path=folders / "one", classes=["x", "y"]).classes == ("x", "y")
    with pytest.raises(DataError, match="has 2 sub-folders, and classes= names 3"):
        load(path=folders / "one", classes=["x", "y", "z"])


@pytest.mark.parametrize("path", ["nowhere", "nowhere.csv", "a/b/c", "x" * 5000, "nul\0byte"])
def test_a_path_that_is_not_there_is_refused(home: Path, path: str) -> None:
    with pytest.raises(DataError) as caught:
        load(path=path)
    assert path[:10].replace("\0", "\\x00") in str(caught.value)


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(DataError, match="choose one of mnist, fashion-mnist, kmnist"):
        load("mnits")


def test_a_test_path_alone_is_refused() -> None:
    with pytest.raises(DataError, match="needs path as well"):
        load(test_path="x.csv")

from __future__ import annotations

import contextlib
import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainrule.core.errors import DataError
from chainrule.data import caches
from chainrule.data import load as sources
from chainrule.data.caches import cache_folder, places
from chainrule.data.catalog import SOURCES, Source
from chainrule.data.dataset import Dataset, Found
from chainrule.data.load import inventory, load
from chainrule.data.readers.idx import FILES

FIRST, SECOND = "https://first.example/mnist/", "https://second.example/mnist/"


def openml(found: Found) -> bytes:
    rows = [
        ",".join(map(str, [*image.ravel(), label]))
        for part in (found.train, found.test)
        for image, label in zip(part.images, part.labels, strict=True)
    ]
    return gzip.compress(("@RELATION mnist_784\n@DATA\n" + "\n".join(rows)).encode())


def test_the_first_place_that_has_it_wins(
    lay: Callable[..., Path],
    save_keras: Callable[[Path, Found], None],
    same: Callable[[Dataset, Found], None],
    home: Path,
    little: Source,
    sample: Found,
    mirrors: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All places are filled; then one after the other is taken away."""
    monkeypatch.setattr(sources, "keep", lambda *_: home)
    mirrors.serve(FIRST, sample)
    mirrors.serve(SECOND, sample)
    lay(home / ".cache" / "chainrule" / "mnist", sample)
    save_keras(home / ".keras" / "datasets" / "mnist.npz", sample)
    lay(home / "data" / "MNIST" / "raw", sample, packed=True)
    lay(home / ".cache" / "torch" / "datasets" / "MNIST" / "raw", sample)
    for gone, expected in (
        (home / ".cache" / "chainrule" / "mnist", "from cache"),
        (home / ".keras", "from keras"),
        (home / "data", "from torchvision"),
        (home / ".cache" / "torch", "from torchvision"),
    ):
        dataset = load("mnist")
        same(dataset, sample)
        assert expected in dataset.source
        assert not mirrors.asked
        gone.rename(home / f"gone-{gone.name}")
    assert FIRST in load("mnist").source
    mirrors.files = {url: data for url, data in mirrors.files.items() if SECOND in url}
    assert SECOND in load("mnist").source


def test_the_places_are_those_that_the_docstring_names(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", "/keras")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", "/learn")
    found = [str(place.path) for place in places("mnist", SOURCES["mnist"])]
    assert found == [
        f"{home}/.cache/chainrule/mnist",
        "/keras/datasets/mnist.npz",
        "data/MNIST/raw",
        "MNIST/raw",
        f"{home}/data/MNIST/raw",
        f"{home}/.cache/torchvision/MNIST/raw",
        f"{home}/.cache/torch/datasets/MNIST/raw",
        "/learn/openml/openml.org/data/v1/download/52667/mnist_784.arff.gz",
        "/learn/openml/openml.org/data/v1/download/52667.gz",
    ]


def test_scikit_learns_cache_is_read_and_divided(
    same: Callable[[Dataset, Found], None],
    home: Path,
    little: Source,
    sample: Found,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chainrule.data.readers.formats.OPENML_ROWS", (280, 210))
    path = home / "scikit_learn_data/openml/openml.org/data/v1/download/52667.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(openml(sample))
    dataset = load("mnist", offline=True)
    same(dataset, sample)
    assert "scikit-learn" in dataset.source


def test_what_is_found_is_kept_as_four_plain_idx_files(
    four: Callable[[Found], dict[str, bytes]],
    save_keras: Callable[[Path, Found], None],
    home: Path,
    little: Source,
    sample: Found,
) -> None:
    save_keras(home / ".keras" / "datasets" / "mnist.npz", sample)
    lines: list[str] = []
    load("mnist", report=lines.append)
    folder = home / ".cache" / "chainrule" / "mnist"
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES.values())
    assert {key: (folder / name).read_bytes() for key, name in FILES.items()} == four(sample)
    assert lines == [f"kept in {folder}"]
    assert "from cache" in load("mnist").source


def test_other_data_under_the_right_name_is_not_taken(
    save_keras: Callable[[Path, Found], None],
    same: Callable[[Dataset, Found], None],
    home: Path,
    little: Source,
    sample: Found,
    mirrors: Any,
) -> None:
    other = Found(sample.test, sample.train)
    save_keras(home / ".keras" / "datasets" / "mnist.npz", other)
    mirrors.serve(FIRST, sample)
    lines: list[str] = []
    same(load("mnist", report=lines.append), sample)
    assert lines[0].startswith(f"keras: {home}/.keras/datasets/mnist.npz: its train images have")


def test_a_place_with_one_part_is_not_taken(home: Path, little: Source, sample: Found) -> None:
    (path := home / "scikit_learn_data/openml/openml.org/data/v1/download/52667.gz").parent.mkdir(
        parents=True
    )
    path.write_bytes(openml(sample))
    with pytest.raises(DataError, match="holds one part"):
        load("mnist", offline=True)


def test_the_inventory_lists_what_is_there_and_what_is_wrong_with_it(
    lay: Callable[..., Path],
    save_keras: Callable[[Path, Found], None],
    home: Path,
    little: Source,
    sample: Found,
) -> None:
    assert inventory() == []
    lay(home / ".cache" / "chainrule" / "mnist", sample)
    save_keras(home / ".keras" / "datasets" / "mnist.npz", Found(sample.test, sample.train))
    good, bad = inventory()
    assert good[:3] == ("mnist", "cache", home / ".cache" / "chainrule" / "mnist")
    assert (good.checksums, good.verified, good.note) == (little.arrays, True, "")
    assert (bad.tool, bad.verified, bad.checksums) == ("keras", False, {})
    assert "SHA-256" in bad.note


def test_loading_cached_data_does_not_load_pooch(
    lay: Callable[..., Path], home: Path, sample: Found, little: Source
) -> None:
    """It would cost more than the load."""
    lay(caches.cache_folder() / "mnist", sample)
    code = "import sys, chainrule.data.load; print('pooch' in sys.modules)"
    package = Path(sources.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_a_leftover_of_a_killed_process_does_no_harm(
    lay: Callable[..., Path],
    same: Callable[[Dataset, Found], None],
    home: Path,
    little: Source,
    sample: Found,
) -> None:
    folder = lay(cache_folder() / "mnist", sample)
    (folder / ".train-images-idx3-ubyte.1.ab").write_bytes(b"half")
    with contextlib.suppress(FileNotFoundError):
        same(load("mnist"), sample)

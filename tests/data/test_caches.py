from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pooch
import pytest

from chainrule.core.errors import DataError
from chainrule.data import load as sources
from chainrule.data.caches import cache_folder
from chainrule.data.catalog import Source
from chainrule.data.dataset import Dataset, Found
from chainrule.data.load import load
from chainrule.data.readers.idx import FILES

FIRST, SECOND = "https://first.example/mnist/", "https://second.example/mnist/"


def test_the_cache_is_where_the_environment_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == home / ".cache" / "chainrule"
    monkeypatch.setenv("CHAINRULE_HOME", "~/mine")
    assert cache_folder() == home / "mine"
    monkeypatch.delenv("CHAINRULE_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path(pooch.os_cache("chainrule"))


@pytest.mark.parametrize("damage", ["bit", "cut", "extra", "gone", "other"])
def test_a_damaged_cache_is_named_and_replaced(
    lay: Callable[..., Path],
    same: Callable[[Dataset, Found], None],
    home: Path,
    little: Source,
    sample: Found,
    mirrors: Any,
    damage: str,
) -> None:
    folder = lay(home / ".cache" / "chainrule" / "mnist", sample)
    file = folder / FILES["test_images"]
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    damaged = {"bit": bytes(data), "cut": data[:-1], "extra": data + b"x", "other": b"html"}
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(damaged[damage])
    mirrors.serve(FIRST, sample)
    lines: list[str] = []
    same(load("mnist", report=lines.append), sample)
    assert lines[0].startswith("cache: ")
    assert str(folder) in lines[0]
    assert "from cache" in load("mnist").source


def test_a_damaged_cache_is_left_as_it_was_when_nothing_replaces_it(
    lay: Callable[..., Path], home: Path, little: Source, sample: Found
) -> None:
    file = lay(home / ".cache" / "chainrule" / "mnist", sample) / FILES["test_images"]
    file.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte starts with 0x64616d61"):
        load("mnist", offline=True)
    assert file.read_bytes() == b"damaged"


def test_a_cache_that_cannot_be_written_does_not_stop_the_load(
    same: Callable[[Dataset, Found], None],
    home: Path,
    little: Source,
    sample: Found,
    mirrors: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("CHAINRULE_HOME", str(home / "file" / "below"))
    mirrors.serve(FIRST, sample)
    lines: list[str] = []
    same(load("mnist", report=lines.append), sample)
    assert "is not kept" in lines[-1]


LOADER = """
import sys
from pathlib import Path
from chainrule.data import caches
from chainrule.data import catalog as known
from chainrule.data.load import load
from dataclasses import replace
import json
arrays = json.loads(sys.argv[1])
known.SOURCES["mnist"] = replace(known.SOURCES["mnist"], arrays=arrays, mirrors=(), wheel=False)
for _ in range(15):
    dataset = load("mnist")
    assert dataset.checksums == arrays
    for file in caches.cache_folder().rglob("*ubyte"):
        file.unlink(missing_ok=True)
print("done")
"""


def test_two_processes_may_load_and_store_at_once(
    save_keras: Callable[[Path, Found], None], home: Path, little: Source, sample: Found
) -> None:
    """Each deletes the cache after each load, so both keep filling what the other empties."""
    save_keras(home / ".keras" / "datasets" / "mnist.npz", sample)
    package = Path(sources.__file__).parents[2]
    command = [sys.executable, "-c", LOADER, json.dumps(little.arrays)]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    running = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert (out, err) == ("done\n", "")
    folder = cache_folder() / "mnist"
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]

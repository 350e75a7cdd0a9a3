"""A few real digits to write in every format, an empty home, mirrors in memory, hostile files."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pooch
import pytest

from chainrule.data.catalog import SOURCES, Source
from chainrule.data.dataset import Dataset, Found, checksums
from chainrule.data.readers.idx import FILES, write_idx

FIRST, SECOND = "https://first.example/mnist/", "https://second.example/mnist/"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, in which the test also works; no tool's variables are set."""
    for variable in ("CHAINRULE_HOME", "CHAINRULE_OFFLINE", "KERAS_HOME", "SCIKIT_LEARN_DATA"):
        monkeypatch.delenv(variable, raising=False)
    empty = tmp_path / "home"
    empty.mkdir()
    monkeypatch.setenv("HOME", str(empty))
    monkeypatch.setenv("USERPROFILE", str(empty))
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty / ".cache"))
    monkeypatch.chdir(empty)
    return empty


def four(found: Found) -> dict[str, bytes]:
    """The four IDX files, by key."""
    return {
        f"{which}_{what}": write_idx(array)
        for which, part in (("train", found.train), ("test", found.test))
        for what, array in (("images", part.images), ("labels", part.labels))
    }


def lay(folder: Path, found: Found, *, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for key, data in four(found).items():
        name = FILES[key] + (".gz" if packed else "")
        (folder / name).write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return folder


def save_keras(path: Path, found: Found) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        x_train=found.train.images,
        y_train=found.train.labels,
        x_test=found.test.images,
        y_test=found.test.labels,
    )


def same(dataset: Dataset, found: Found) -> None:
    assert dataset.checksums == checksums(found.train, found.test)
    np.testing.assert_array_equal(dataset.train.labels, found.train.labels)
    assert dataset.train.images.shape == (len(found.train.labels), 784)


@pytest.fixture
def little(sample: Found, home: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """The sample under the name mnist: its own checksums, two mirrors, no package index."""
    source = Source(
        mirrors=(FIRST, SECOND),
        md5={
            key: hashlib.md5(gzip.compress(data, mtime=0)).hexdigest()
            for key, data in four(sample).items()
        },
        classes=tuple("0123456789"),
        torchvision="MNIST",
        keras="mnist.npz",
        arrays=checksums(sample.train, sample.test),
        openml=SOURCES["mnist"].openml,
    )
    monkeypatch.setitem(SOURCES, "mnist", source)
    return source


class Mirrors:
    """Hosts in memory: what each serves under a URL; everything else fails as a dead host does."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def serve(self, mirror: str, found: Found) -> None:
        for key, data in four(found).items():
            self.files[f"{mirror}{FILES[key]}.gz"] = gzip.compress(data, mtime=0)

    def __call__(self, **_options: object) -> object:
        def download(url: str, output: str, _pooch: object) -> None:
            self.asked.append(url)
            if url not in self.files:
                raise ConnectionError(f"{url}: Name or service not known")
            Path(output).write_bytes(self.files[url])

        return download


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Mirrors:
    hosts = Mirrors()
    monkeypatch.setattr(pooch, "HTTPDownloader", hosts)
    return hosts


@pytest.fixture(name="four")
def _four() -> Callable[[Found], dict[str, bytes]]:
    return four


@pytest.fixture(name="lay")
def _lay() -> Callable[..., Path]:
    return lay


@pytest.fixture(name="save_keras")
def _save_keras() -> Callable[[Path, Found], None]:
    return save_keras


@pytest.fixture(name="same")
def _same() -> Callable[[Dataset, Found], None]:
    return same


class System:
    def __reduce__(self) -> object:
        return os.system, ("touch owned",)


class Evaluate:
    def __reduce__(self) -> object:
        return eval, ("open('owned', 'w')",)


class Runstring:
    """On an allow-list of names that start with numpy this one would pass."""

    def __reduce__(self) -> object:
        return np.testing.runstring, ("open('owned', 'w')", {})


MEMO_BOMB = b"\x80\x02N" + b"r" + struct.pack("<I", 40_000_000) + b"."
HOSTILE = {
    "os.system": pickle.dumps(System(), 2),
    "os.system, protocol 0": pickle.dumps(System(), 0),
    "os.system, protocol 4": pickle.dumps(System(), 4),
    "eval": pickle.dumps(Evaluate(), 2),
    "numpy's runstring": pickle.dumps(Runstring(), 2),
    "memo bomb": MEMO_BOMB,
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT2": b"\x80\x02\x83\x01\x00.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "INST": b"(S'touch owned'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'touch owned'\no.",
    "NEWOBJ": b"\x80\x02cos\nsystem\n)\x81.",
    "persistent id": b"\x80\x02Pname\n.",
    "dictionary": pickle.dumps({"a": 1}, 2),
    "length beyond the data": b"\x80\x02T\xff\xff\xff\x7fabc.",
    "no STOP": b"\x80\x02N",
    "STOP alone": b"\x80\x02.",
    "only None": b"\x80\x02N.",
    "extra bytes": pickle.dumps([], 2) + b"x",
    "object array": pickle.dumps([(np.array([None]), [1])], 2),
    "field dtype": pickle.dumps([(np.zeros(2, "u1,f4"), [1, 2])], 2),
    "text array": pickle.dumps([(np.array(["a"]), [1])], 2),
    "reconstruct that allocates": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
        b"J\xff\xff\xff\x7f\x85U\x01btR."
    ),
    "reconstruct of a dtype": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\nK\x00\x85U\x01btR."
    ),
    "shape that does not fit": pickle.dumps([(np.zeros(9, "u1"), [1])], 2).replace(
        b"K\x01K\t\x85", b"K\x01K\x7f\x85"
    ),
    "state on a function": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN\x88\x86b.",
    "state on a class": b"\x80\x02cnumpy\nndarray\nK\x01b.",
    "labels of lists": pickle.dumps([([[1]], [[1]])], 2),
    "encode to hex": (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R."),
    "UTF-7 array name": b"\x80\x02cnumpy\n+AG4-darray\n.",
    "stacked name": pickle.dumps(System(), 4).replace(b"posix", b"numpy"),
    "dtype of bytes": b"\x80\x02cnumpy\ndtype\nU\x02O8\x85R.",
    "frombuffer of text": (
        b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(U\x01acnumpy\ndtype\nU\x02f8\x85RK\x01U\x01CtR."
    ),
    "frombuffer without dtype": (
        b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(U\x01aNK\x01U\x01CtR."
    ),
    "shape of names": (
        b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(U\x01acnumpy\ndtype\nU\x02u1\x85R"
        b"U\x01aU\x01CtR."
    ),
    "shape of nothing": (
        b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(U\x01acnumpy\ndtype\nU\x02u1\x85R"
        b"N\x85U\x01CtR."
    ),
    "dtype that is given fields": (
        b"\x80\x02cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NU\x01aU\x01bK\x00tb."
    ),
    "lists in lists": b"\x80\x02]q\x00" + b"(h\x00h\x00e" * 9 + b".",
}


@pytest.fixture(scope="session")
def hostile_pickles() -> dict[str, bytes]:
    return HOSTILE


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE.keys())
def hostile_pickle(request: pytest.FixtureRequest) -> bytes:
    return bytes(request.param)

"""Data that cannot be read for want of memory are named, and never called damaged."""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.data import own
from chainrule.data.load import load
from chainrule.data.readers import pickles
from chainrule.data.readers.archives import read_npz
from chainrule.data.readers.images import decode_picture
from chainrule.data.readers.pickles import read_pickle

PAIRS = pickle.dumps(((np.zeros((2, 4)), np.zeros(2, int)),) * 2)


def no_memory(*_: object, **__: object) -> None:
    raise MemoryError("Unable to allocate 9 GiB")


def npz() -> bytes:
    packed = io.BytesIO()
    np.savez(packed, a=np.zeros(3))
    return packed.getvalue()


def png() -> bytes:
    packed = io.BytesIO()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(packed, "png")
    return packed.getvalue()


NPZ, PNG = npz(), png()
READERS = {
    "a zip file": (zipfile, "ZipFile", lambda: read_npz(NPZ, "file")),
    "a member": (zipfile.ZipFile, "open", lambda: read_npz(NPZ, "file")),
    "a picture": (Image, "open", lambda: decode_picture(PNG, "file", side=99, pixels=999)),
    "opcodes": (pickletools, "genops", lambda: read_pickle(PAIRS, "file")),
    "a pickle": (pickles, "_Unpickler", lambda: read_pickle(PAIRS, "file")),
}


@pytest.mark.parametrize("what", READERS)
def test_want_of_memory_is_not_called_damage(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    home, name, read = READERS[what]
    read()
    monkeypatch.setattr(home, name, no_memory)
    with pytest.raises(MemoryError):
        read()


def test_the_path_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "assemble", no_memory)
    path = tmp_path / "data.csv"
    rng = np.random.default_rng(0)
    table = np.column_stack([np.arange(40) % 4, rng.integers(0, 256, (40, 16))])
    np.savetxt(path, table, fmt="%d", delimiter=",")
    with pytest.raises(MemoryError, match=r"data\.csv cannot be read: Unable to allocate"):
        load(path=path)

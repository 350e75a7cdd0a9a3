"""Memory that runs out is said with the file's name: a failed save, or a read, but no damage."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as package_load
from safetensors.numpy import save as package_save

from chainrule.core import files, tensor_file
from chainrule.core.errors import ModelFileError
from chainrule.core.files import naming_what_is_read, write_atomically
from chainrule.core.memory import reserve
from chainrule.core.tensor_file import read_sealed, write_sealed

WORDS = {"format": "a-1"}


def no_memory(*_: object, **__: object) -> None:
    raise MemoryError("Unable to allocate 9 GiB")


@pytest.mark.parametrize("where", ["_write", "_holds", "sync_folder"])
def test_a_save_without_memory_is_an_error_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = write_atomically(tmp_path / "file", b"old")
    monkeypatch.setattr(files, where, no_memory)
    with pytest.raises(OSError, match="not enough memory to write it: Unable") as failure:
        write_atomically(path, b"new")
    assert failure.value.errno == errno.ENOMEM
    assert failure.value.filename == str(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == (b"new" if where == "sync_folder" else b"old")


def test_a_sealed_file_without_memory_is_an_error_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_file, "_digest", no_memory)
    with pytest.raises(OSError, match="not enough memory to write it"):
        write_sealed(tmp_path / "file", {"a": np.zeros(3)}, WORDS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["read_own", "reserve", "_digest"])
def test_a_file_that_cannot_be_read_for_want_of_memory_is_named_and_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = write_sealed(tmp_path / "file", {"a": np.zeros(3)}, WORDS)
    monkeypatch.setattr(tensor_file, where, no_memory)
    with pytest.raises(MemoryError, match="file cannot be read: Unable"):
        read_sealed(path, format="a-1")


def test_a_memory_error_without_words_has_the_file_all_the_same() -> None:
    with pytest.raises(MemoryError, match=r"^here cannot be read$"), naming_what_is_read("here"):
        raise MemoryError


def test_memory_is_asked_for_before_the_package_copies_what_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    path = write_sealed(tmp_path / "file", {"a": np.zeros(1000)}, WORDS)
    monkeypatch.setattr(tensor_file, "reserve", asked.append)
    read_sealed(path, format="a-1")
    assert asked == [path.stat().st_size]
    reserve(10)
    with pytest.raises(MemoryError):
        reserve(1 << 55)


TENSORS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.zeros((0, 3), np.float32),
    "x": np.array([True, False]), "scalar": np.array(2.5), "t": np.arange(6.0).reshape(2, 3).T,
    **{name: np.arange(5).astype(name) for name in (
        "int8", "uint8", "int16", "uint16", "float16", "int32", "uint32", "float64", "int64",
        "uint64")},
}  # fmt: skip


def test_the_package_writes_the_same_bytes_and_reads_ours(tmp_path: Path) -> None:
    path = write_sealed(tmp_path / "file", TENSORS, WORDS)
    content = path.read_bytes()
    theirs = package_save({name: np.ascontiguousarray(t) for name, t in TENSORS.items()})
    start = 8 + int.from_bytes(content[:8], "little")
    assert start % 8 == 0
    assert content[start:] == theirs[8 + int.from_bytes(theirs[:8], "little") :]
    found = package_load(content)
    assert {*found} == {*TENSORS}
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        np.testing.assert_array_equal(found[name].reshape(tensor.shape), tensor)


def test_a_type_that_no_file_holds_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="safetensors hold no complex128"):
        write_sealed(tmp_path / "file", {"a": np.zeros(2, complex)}, WORDS)

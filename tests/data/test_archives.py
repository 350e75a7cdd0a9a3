from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.errors import DataError
from chainrule.data.dataset import Found
from chainrule.data.readers import archives
from chainrule.data.readers.archives import MIB, gunzip, read_file, read_npy, read_npz
from chainrule.data.readers.formats import read


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def npz(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def save_npz(path: Path, found: Found, **changes: np.ndarray) -> Path:
    arrays = {
        "x_train": found.train.images,
        "y_train": found.train.labels.astype(np.uint8),
        "x_test": found.test.images,
        "y_test": found.test.labels.astype(np.uint8),
    }
    np.savez_compressed(path, **(arrays | changes))
    return path


def test_an_npz_like_keras_reads_back(tmp_path: Path, sample: Found) -> None:
    found = read(save_npz(tmp_path / "mnist.npz", sample))
    np.testing.assert_array_equal(found.train.images, sample.train.images)
    np.testing.assert_array_equal(found.test.labels, sample.test.labels)


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i4", "<u8", "<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_reads_as_numpy_does(dtype: str, order: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype, order=order)
    result = read_npy(npy(array), "a")
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_of_npy_are_read(version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.arange(5), version=version)
    np.testing.assert_array_equal(read_npy(stream.getvalue(), "a"), np.arange(5))


def header(text: str, length: int | None = None) -> bytes:
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", length or len(text)) + text.encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy(np.array([{}], object)), "only plain numbers"),
        (npy(np.array(["text"])), "only plain numbers"),
        (npy(np.zeros(3, "u1,f4")), "only plain numbers"),
        (header("{'descr': '<u1'", 2**32 - 1), "declares 4,294,967,295 bytes"),
        (header("x" * 20_000), "declares 20,000 bytes"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999,)}"), "needs"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2)}"), "shape"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': 5}"), "shape"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1)}") + b"x", "shape"),
        (header("{'descr': '|u1'}"), "not readable"),
        (header("__import__('os').system('x')"), "not readable"),
        (header("[" * 5000), "not readable"),
        (b"\x93NUMPX" + bytes(20), "not in NumPy's npy format"),
        (b"\x93NUMPY", "not in NumPy's npy format"),
        (npy(np.zeros(4, np.uint8)) + b"x", "needs 4 bytes and 5 are there"),
    ],
)
def test_an_npy_that_is_not_sound_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_npy(data, "a")


def test_an_npz_with_objects_is_refused(tmp_path: Path, sample: Found) -> None:
    path = save_npz(tmp_path / "a.npz", sample, y_test=np.array([0, None] * 35, object))
    before = path.read_bytes()
    with pytest.raises(DataError, match="only plain numbers"):
        read(path)
    assert path.read_bytes() == before


def test_an_npz_without_the_four_names_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.zeros((2, 3, 3)), images=np.zeros(3))
    with pytest.raises(DataError, match="lacks y_train, x_test, y_test"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_zipfile_inflates_without_bound_are_refused(method: int) -> None:
    with pytest.raises(DataError, match="only stored or deflated"):
        read_npz(npz(("x.npy", npy(np.zeros(10))), method=method), "a.npz")


def test_a_member_above_the_cap_is_refused() -> None:
    with archives.open_zip(npz(("x.npy", bytes(99))), "a.npz") as archive:
        assert archives.zip_member(archive, "x.npy", cap=99, name="a.npz") == bytes(99)
        with pytest.raises(DataError, match="declares 99 bytes and at most 98"):
            archives.zip_member(archive, "x.npy", cap=98, name="a.npz")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n", "is one picture"),
        (b"\xff\xd8\xff\xe0", "is one picture"),
        (npy(np.zeros(3)), "is a single NumPy array"),
        (b"PAR1" + bytes(20), "is a Parquet file"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"", "is empty"),
    ],
)
def test_files_that_are_something_else_are_told_apart(
    tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(DataError, match=f"file {words}"):
        read(tmp_path / "file")


def test_too_many_members_are_refused() -> None:
    with pytest.raises(DataError, match="has 17 members"):
        read_npz(npz(*((f"{i}.npy", b"") for i in range(17))), "a.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_repeated_members_are_refused() -> None:
    with pytest.raises(DataError, match="all different"):
        read_npz(npz(("x.npy", b""), ("x.npy", b"")), "a.npz")


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(npz(("x.npy", npy(np.zeros(3)))))
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    with pytest.raises(DataError, match="encrypted"):
        read_npz(bytes(data), "a.npz")


def test_a_zip_bomb_is_refused_before_it_is_inflated() -> None:
    """4 GiB of zeros would be declared by 4 MB; here the declared size alone is enough."""
    data = bytearray(npz(("x.npy", npy(np.zeros(3)))))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 2**32 - 2)
    with pytest.raises(DataError, match="declares 4,294,967,294 bytes"):
        read_npz(bytes(data), "a.npz")


def test_members_that_are_too_large_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = npz(("x.npy", npy(np.zeros(60))), ("y.npy", npy(np.zeros(60))))
    monkeypatch.setattr(archives, "LARGEST_NPZ", 1000)
    with pytest.raises(DataError, match="declares 1,216 bytes and at most 1,000"):
        read_npz(data, "a.npz")


def test_a_member_larger_or_smaller_than_declared_is_refused() -> None:
    whole = npz(("x.npy", npy(np.zeros(100))))
    directory = whole.index(b"PK\x01\x02")
    for size in (10, 5000):
        data = bytearray(whole)
        data[directory + 24 : directory + 28] = struct.pack("<I", size)
        with pytest.raises(DataError):
            read_npz(bytes(data), "a.npz")


def test_a_damaged_member_is_refused() -> None:
    data = bytearray(npz(("x.npy", npy(np.arange(1000.0)))))
    data[data.index(b"x.npy") + 20] ^= 0xFF
    with pytest.raises(DataError, match="damaged"):
        read_npz(bytes(data), "a.npz")


@pytest.mark.parametrize("cut", [4, 30, -1, -30])
def test_a_truncated_npz_is_refused(tmp_path: Path, sample: Found, cut: int) -> None:
    path = save_npz(tmp_path / "a.npz", sample)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="not a whole zip file"):
        read(path)


def test_gunzip_gives_what_gzip_packed() -> None:
    data = np.random.default_rng(0).integers(0, 4, 2 * MIB, np.uint8).tobytes()
    assert gunzip(gzip.compress(data, compresslevel=1), 4 * MIB, "a.gz") == data


def test_a_gzip_bomb_is_refused_by_its_ratio_with_little_memory() -> None:
    bomb = gzip.compress(bytes(64 * MIB), compresslevel=9)
    assert len(bomb) < MIB // 10
    tracemalloc.start()
    with pytest.raises(DataError, match="gzip bomb"):
        gunzip(bomb, 1024 * MIB, "a.gz")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * MIB


def test_a_gzip_file_beyond_the_cap_is_refused() -> None:
    with pytest.raises(DataError, match="inflates beyond 1,000,000 bytes"):
        gunzip(gzip.compress(os.urandom(2 * MIB)), 1_000_000, "a.gz")


def test_a_short_blank_file_may_inflate_at_any_ratio() -> None:
    assert gunzip(gzip.compress(bytes(MIB)), 2 * MIB, "a.gz") == bytes(MIB)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "cut short"),
        (lambda data: data[:5], "cut short"),
        (lambda data: data + b"more", "extra bytes"),
        (lambda data: data + data, "extra bytes"),
        (lambda data: data[:-6] + b"\0\0" + data[-4:], "damaged"),
        (lambda data: b"\x1f\x8b\x09" + data[3:], "damaged"),
    ],
    ids=["cut", "header", "trailing", "second member", "checksum", "method"],
)
def test_a_gzip_file_that_is_not_whole_is_refused(change: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        gunzip(change(gzip.compress(os.urandom(300))), MIB, "a.gz")


def test_extra_bytes_beyond_the_last_chunk_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(b"digits")
    monkeypatch.setattr(archives, "CHUNK", len(packed))
    assert gunzip(packed, MIB, "a.gz") == b"digits"
    with pytest.raises(DataError, match="extra bytes"):
        gunzip(packed + b"x", MIB, "a.gz")


def test_a_file_is_measured_before_it_is_read(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with open(sparse, "wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(DataError, match="1,099,511,627,776 bytes"):
        read_file(sparse, MIB)
    with pytest.raises(DataError, match="1,099,511,627,776 bytes"):
        read(sparse)


def test_what_is_no_ordinary_file_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="not an ordinary file"):
        read_file(pipe, MIB)


def test_bz2_is_none_of_the_formats(tmp_path: Path) -> None:
    (tmp_path / "a.bz2").write_bytes(bz2.compress(b"0,1,2\n"))
    with pytest.raises(DataError, match="none of IDX, npz, pickle, CSV"):
        read(tmp_path / "a.bz2")

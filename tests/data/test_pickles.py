from __future__ import annotations

import copyreg
import gzip
import pickle
import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.errors import DataError
from chainrule.data.dataset import Found
from chainrule.data.readers import formats, pickles
from chainrule.data.readers.formats import read
from chainrule.data.readers.pickles import read_pickle, scan

Pairs = tuple[tuple[np.ndarray, np.ndarray], ...]


@pytest.fixture
def pairs(sample: Found) -> Pairs:
    """As in mnist.pkl.gz: training, validation and test, pixels v/256 as float32, flat."""
    images = (sample.train.images.reshape(-1, 784) / 256).astype(np.float32)
    test = (sample.test.images.reshape(-1, 784) / 256).astype(np.float32)
    return (
        (images[:180], sample.train.labels[:180]),
        (images[180:], sample.train.labels[180:]),
        (test, sample.test.labels),
    )


def python2(pairs: Pairs) -> bytes:
    """The opcodes that Python 2 and NumPy 1 wrote in 2010, protocol 2, text as BINSTRING."""

    def text(data: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(data)) + data

    def array(values: np.ndarray) -> bytes:
        shape = b"".join(b"J" + struct.pack("<i", side) for side in values.shape)
        dtype = values.dtype.str[1:].encode()
        return (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
            b"(K\x01(" + shape + b"tcnumpy\ndtype\n(" + text(dtype) + b"K\x00K\x01tR"
            b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
            + text(values.tobytes())
            + b"tb"
        )

    body = b"".join(b"(" + array(images) + array(labels) + b"t" for images, labels in pairs)
    return b"\x80\x02(" + body + b"t."


def test_the_2010_layout_is_a_pickle_that_python_reads(pairs: Pairs) -> None:
    """The hand-made file is right: Python's own reader finds the same arrays in it."""
    with warnings.catch_warnings():
        # NumPy 2 warns of the modules' old names.
        warnings.simplefilter("ignore", DeprecationWarning)
        plain = pickle.loads(python2(pairs), encoding="latin1")
    np.testing.assert_array_equal(plain[1][0], pairs[1][0])


def test_mnist_pkl_gz_reads_back_as_bytes(tmp_path: Path, pairs: Pairs, sample: Found) -> None:
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(python2(pairs)))
    found = read(path)
    assert found.train.images.dtype == np.uint8
    np.testing.assert_array_equal(found.train.images, sample.train.images)
    np.testing.assert_array_equal(found.train.labels, sample.train.labels)
    np.testing.assert_array_equal(found.test.images, sample.test.images)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("spelling", [b"numpy._core", b"numpy.core"])
def test_every_protocol_and_both_spellings_of_numpy_are_read(
    tmp_path: Path, pairs: Pairs, sample: Found, protocol: int, spelling: bytes
) -> None:
    data = pickle.dumps(pairs, protocol=protocol)
    if protocol < 4:
        data = data.replace(b"numpy._core", spelling)
    path = tmp_path / "any-name"
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path).train.images, sample.train.images)


def test_fortran_order_and_big_endian_are_read() -> None:
    images = np.asfortranarray(np.arange(12, dtype=">f4").reshape(3, 4))
    [(read_images, labels)] = read_pickle(pickle.dumps([(images, [1, 2, 3])]), "a")
    np.testing.assert_array_equal(read_images, images)
    assert labels.tolist() == [1, 2, 3]


def test_two_pairs_are_training_and_test(tmp_path: Path, pairs: Pairs) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(pairs[:2]))
    found = read(path)
    assert (len(found.train.labels), len(found.test.labels)) == (180, 30)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_other_numbers_of_pairs_are_refused(tmp_path: Path, pairs: Pairs, count: int) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps((pairs[0],) * count))
    with pytest.raises(DataError, match=f"holds {count} pairs"):
        read(path)


def test_training_and_validation_of_two_sizes_are_refused(tmp_path: Path, pairs: Pairs) -> None:
    odd = (np.zeros((30, 100), np.uint8), pairs[1][1])
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps((pairs[0], odd, pairs[2])))
    with pytest.raises(DataError, match="differ in size or type"):
        read(path)


def test_a_hostile_pickle_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile_pickle: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(gzip.compress(hostile_pickle))
    before = path.read_bytes()
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value).count("\n") == 0
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("os.system", "asks for the name posix.system|asks for the name nt.system"),
        ("numpy's runstring", "runstring"),
        ("memo bomb", "asks for memo entry 40,000,000"),
        ("EXT1", "the operation EXT1"),
        ("extra bytes", "1 extra bytes"),
    ],
)
def test_the_refusal_names_what_the_pickle_asks_for(
    hostile_pickles: dict[str, bytes], key: str, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        scan(hostile_pickles[key], "mnist.pkl.gz")


def test_a_pickle_of_too_many_operations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_OPCODES", 1000)
    with pytest.raises(DataError, match="more than 1,000 operations"):
        scan(b"\x80\x02(" + b"N" * 1000 + b"t.", "a")


def test_the_scan_comes_before_the_unpickler(
    hostile_pickles: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the Unpickler ran")

    monkeypatch.setattr(pickles, "_Unpickler", never)
    for key in ("os.system", "memo bomb", "EXT1", "INST", "OBJ", "dictionary"):
        with pytest.raises(DataError, match="refused unread"):
            read_pickle(hostile_pickles[key], "a")


def test_names_that_the_scan_cannot_see_are_refused_by_find_class(
    hostile_pickles: dict[str, bytes],
) -> None:
    """STACK_GLOBAL takes its name from the stack, where the scan does not look."""
    data = hostile_pickles["os.system, protocol 4"]
    scan(data, "a")
    with pytest.raises(DataError, match=r"the name (posix|nt)\.system"):
        read_pickle(data, "a")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("shape that does not fit", r"an array of shape \(127,\) with 9 bytes"),
        ("shape of nothing", "an array whose shape is not"),
        ("object array", "an array of type 'O8'"),
        ("dtype that is given fields", "an array type with fields"),
        ("labels of lists", "labels that are neither"),
        ("encode to hex", "bytes in the encoding 'hex'"),
        ("frombuffer without dtype", "an array without plain bytes"),
        ("only None", "does not hold pairs"),
    ],
)
def test_allowed_operations_on_the_wrong_things_are_refused(
    hostile_pickles: dict[str, bytes], key: str, words: str
) -> None:
    scan(hostile_pickles[key], "a")
    with pytest.raises(DataError, match=words):
        read_pickle(hostile_pickles[key], "a")


def test_an_extension_registered_by_somebody_else_stays_out_of_reach() -> None:
    copyreg.add_extension("os", "system", 240)
    try:
        with pytest.raises(DataError, match="EXT1"):
            read_pickle(b"\x80\x02\x82\xf0U\x04true\x85R.", "a")
    finally:
        copyreg.remove_extension("os", "system", 240)


def test_the_memo_bomb_takes_no_memory(hostile_pickles: dict[str, bytes]) -> None:
    tracemalloc.start()
    with pytest.raises(DataError):
        read_pickle(hostile_pickles["memo bomb"], "a")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_a_pickle_that_inflates_too_far_is_refused(
    tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "LARGEST_PICKLE", 1000)
    (tmp_path / "a").write_bytes(gzip.compress(pickle.dumps(pairs)))
    with pytest.raises(DataError, match="inflates beyond 1,000 bytes"):
        read(tmp_path / "a")


def test_pickle_is_imported_in_one_module_only() -> None:
    package = Path(pickles.__file__).parents[2]
    users = [
        file.name
        for file in package.rglob("*.py")
        if any(word in file.read_text() for word in ("import pickle", "marshal", "shelve"))
    ]
    assert users == ["pickles.py"]

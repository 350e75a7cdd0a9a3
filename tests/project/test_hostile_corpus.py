"""The hostile files of stress/corpus: refused for their own reason, at once, and nothing is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chainrule.data.readers import formats
from stress.fuzz.corpus import FOLDERS

CORPUS = Path(__file__).parents[2] / "stress" / "corpus"
ROOTS = (Path(formats.__file__).parents[3], Path(__file__).parents[2])
LARGEST, LARGEST_TOGETHER = 20_000, 1_000_000
SECONDS = 1.0
MEMORY = 64
"""MiB that a child may take more than before the first hostile file."""

READERS = """
import gc, json, sys, time, warnings
warnings.simplefilter("error")
from pathlib import Path
from chainrule.nn.model_file import load_model
from chainrule.core.errors import DataError
from chainrule.data.readers.formats import read
from chainrule.data.readers.idx import read_idx_file
from chainrule.data.readers.images import grey, read_picture
from chainrule.core.errors import ModelFileError
from chainrule.experiments.settings import read_toml
from chainrule.core.errors import ConfigError
from chainrule.training.checkpoint import read_checkpoint
from stress.fuzz import readers, runs
from stress.fuzz.readers import READERS

OPEN = {
    "idx": read_idx_file, "gzip": read, "npz": read, "pickle": read, "csv": read,
    "picture": lambda path: grey(read_picture(path)),
    "model": load_model, "snapshot": read_checkpoint, "config": read_toml,
}
corpus, names, work = Path(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[3])

def attempt(name, path):
    try:
        OPEN[name](path)
    except READERS[name].error as error:
        return "several lines" if "\\n" in str(error)[:-1] else str(error)
    except Exception as error:
        return f"not refused: {type(error).__name__}: {error}"
    return "not refused"

# Good files first: what a reader imports on first use is imported then.
accepted = {}
for name in names:
    for number, data in enumerate(READERS[name].good()):
        path = work / f"{name}-{number}"
        path.write_bytes(data)
        accepted[path.name] = attempt(name, path)
"""

MEASURED = """
results, slowest = {}, ("", 0.0)
before = runs.peak_memory(forget=True)
for name in names:
    for path in sorted((corpus / name).iterdir()):
        started = time.process_time()
        results[f"{name}/{path.name}"] = attempt(name, path)
        slowest = max(slowest, (f"{name}/{path.name}", time.process_time() - started),
                      key=lambda pair: pair[1])
growth = (runs.peak_memory() - before) / 2**20
print(json.dumps([accepted, results, slowest, growth]))
"""

WATCHED = """
import os, shlex, traceback
HARMLESS = {"os.listdir", "os.scandir", "os.stat", "sys._getframe", "object.__getattr__",
            "builtins.id", "array.__new__"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
events, current, watching = [], None, False

def hook(event, arguments):
    if not watching or event in HARMLESS:
        return
    reads = event == "open" and (
        not arguments[2] & WRITES if arguments[1] is None else arguments[1] in ("r", "rb"))
    if reads and isinstance(arguments[0], int):
        return  # a file around a descriptor whose opening was seen before
    if reads and str(arguments[0]) == str(current):
        opened.append(current)
        return
    events.append(f"{current}: {event} {arguments!r}"[:200])

# Once unwatched: the errors' own sentences are made with modules of Python that are loaded late.
opened = []
jpeg = corpus / "picture" / "jpeg-cut"
attempt("picture", jpeg)
sys.addaudithook(hook)
count = 0
for name in names:
    for path in sorted((corpus / name).iterdir()):
        current, watching = path, True
        attempt(name, path)
        watching, count = False, count + 1
mischief = len(events)
current, watching = Path("planted"), True
import colorsys
open(os.devnull).close()
compile("1", "", "eval")
os.system("true")
watching = False
print(json.dumps([events[:mischief], events[mischief:], count, len(opened)]))
"""


def child(code: str, names: str, work: Path) -> Any:
    """What the code prints as JSON; names are folders of the corpus."""
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", READERS + code, str(CORPUS), names, str(work)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, ROOTS))},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def files() -> dict[str, Path]:
    return {str(path.relative_to(CORPUS)): path for path in CORPUS.rglob("*") if path.is_file()}


def test_the_corpus_is_what_its_script_writes() -> None:
    made = {f"{name}/{file}" for name, make in FOLDERS.items() for file in make()}
    assert set(files()) == made


def test_the_corpus_is_large_in_number_and_small_in_bytes() -> None:
    sizes = [path.stat().st_size for path in files().values()]
    assert len(sizes) >= 300
    assert max(sizes) <= LARGEST
    assert sum(sizes) <= LARGEST_TOGETHER


@pytest.mark.parametrize(
    "names", ["idx,gzip,npz,csv", "pickle", "picture", "model,snapshot,config"]
)
def test_every_hostile_file_is_refused_for_its_own_reason_at_once_and_with_little_memory(
    names: str, tmp_path: Path
) -> None:
    accepted, results, (slowest, seconds), growth = child(MEASURED, names, tmp_path / "work")
    assert set(accepted.values()) == {"not refused"}
    reasons = {f"{name}/{file}": words for name in names.split(",")
               for file, (_, words) in FOLDERS[name]().items()}  # fmt: skip
    assert set(results) == set(reasons)
    others = {file: answer for file, answer in results.items() if reasons[file] not in answer}
    assert others == {}
    assert not [file for file, answer in results.items() if answer.startswith("not refused")]
    assert seconds <= SECONDS, slowest
    assert growth <= MEMORY


def test_no_hostile_file_makes_its_reader_run_import_open_or_connect_to_anything(
    tmp_path: Path,
) -> None:
    events, planted, count, opened = child(WATCHED, ",".join(FOLDERS), tmp_path / "work")
    assert events == []
    assert count == len(files())
    assert opened <= count
    seen = {event.split(": ")[1].split(" ")[0] for event in planted}
    assert {"import", "open", "compile", "exec", "os.system"} <= seen

"""What a later version wrote is refused by name, and nothing is written over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule.core.errors import NewerFormatError
from chainrule.core.formats import is_newer
from chainrule.core.tensor_file import read_sealed, write_sealed
from chainrule.monitor.events import BY_HAND, FILE
from chainrule.nn.model_file import FORMATS, load_model
from chainrule.training.checkpoint import FORMAT, read_checkpoint

SEALED = (*FORMATS, FORMAT)


def sealed_later(path: Path) -> None:
    """Gives a model file or checkpoint the next format, with a right checksum."""
    tensors, words = read_sealed(path, format=SEALED)
    write_sealed(path, tensors, words | {"format": words["format"].rpartition("-")[0] + "-9"})


def json_later(path: Path) -> None:
    """Gives each line the next format."""
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    path.write_text("".join(json.dumps(json.loads(x) | {"format": 2}) + "\n" for x in lines))


def events_later(path: Path) -> None:
    path.write_text('{"kind": "begin", "format": 2}\n')


def config_later(path: Path) -> None:
    path.write_text(path.read_text().replace("\nformat = 1\n", "\nformat = 2\n"))


FILES: dict[str, Callable[[Path], None]] = {
    "checkpoints/step-000000028.safetensors": sealed_later,
    "model.safetensors": sealed_later,
    "config.toml": config_later,
    "report.json": json_later,
    "history.jsonl": json_later,
    FILE: events_later,
    BY_HAND: events_later,
}
DOORS = {
    ("train", "--resume", "mine", "--no-pictures"): tuple(FILES),
    ("report", "mine"): ("config.toml", "report.json", "history.jsonl", FILE),
    ("evaluate", "mine"): ("config.toml", "model.safetensors"),
    ("committee", "two", "--members", "mine,other"): (
        "config.toml", "model.safetensors", "report.json",
    ),
}  # fmt: skip


def contents(folder: Path) -> dict[Path, bytes]:
    """All files but those of the lock."""
    names = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in names if path.name not in (".lock", ".writer")}


@pytest.mark.parametrize(
    ("door", "name"), [(door, name) for door, names in DOORS.items() for name in names]
)
def test_a_file_of_a_later_format_is_refused_by_name_and_all_stay_as_they_are(
    chainrule, mine: Path, door: tuple[str, ...], name: str
) -> None:
    shutil.copytree(mine, "runs/other")
    path = mine / name
    if name.startswith("checkpoints/"):
        path = max(mine.glob("checkpoints/*"))
    FILES[name](path)
    before = contents(Path("runs"))
    done = chainrule(*door)
    assert done.code in (1, 2), done.err
    assert str(path) in done.err
    assert "of a later version of chainrule" in done.err
    assert "Traceback" not in done.err
    assert contents(Path("runs")) == before


@pytest.mark.parametrize("name", ["model.safetensors", "config.toml", "report.json"])
def test_a_committee_of_a_later_format_is_not_written_over(
    chainrule, mine: Path, few: Path, name: str
) -> None:
    options = ("--run", "other", "--epochs", 1, "--batch-size", 50, "--seed", 1, "--no-pictures")
    assert chainrule("train", "--data", few, *options).code == 0
    assert chainrule("committee", "two", "--members", "mine,other").code == 0
    path = Path("runs/two") / name
    FILES[name](path)
    before = contents(Path("runs"))
    done = chainrule("committee", "two", "--members", "mine,other")
    assert done.code in (1, 2), done.err
    assert str(path) in done.err
    assert "of a later version of chainrule" in done.err
    assert contents(Path("runs")) == before


@pytest.mark.parametrize("format", SEALED)
def test_each_sealed_format_knows_its_successors(tmp_path: Path, format: str) -> None:
    path = tmp_path / "step-000000001.safetensors"
    name = format.rpartition("-")[0]
    for later in (f"{name}-4", f"{name}-10", f"{name}-999999999"):
        write_sealed(path, {}, {"format": later})
        read = read_checkpoint if format == FORMAT else load_model
        with pytest.raises(NewerFormatError, match=f"'{later}', of a later version"):
            read(path)
    assert not is_newer(format, SEALED)
    assert not is_newer("chainrule-other-4", SEALED)


def test_a_later_checkpoint_among_older_ones_is_not_skipped(chainrule, mine: Path) -> None:
    oldest = min(mine.glob("checkpoints/*"))
    sealed_later(oldest)
    before = contents(mine)
    done = chainrule("train", "--resume", "mine", "--no-pictures")
    assert done.code == 1
    assert f"{oldest}: its format is 'chainrule-run-9', of a later version" in done.err
    assert contents(mine) == before

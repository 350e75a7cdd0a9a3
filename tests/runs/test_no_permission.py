"""A file or folder that may not be read is named in one sentence by every command that reads it."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

DOORS = {
    ("evaluate", "mine"): ("config.toml", "model.safetensors"),
    ("compare", "mine", "other"): ("config.toml", "model.safetensors"),
    ("predict", "mine", "--index", "0"): ("config.toml", "model.safetensors"),
    ("export", "mine", "page.html"): ("config.toml", "model.safetensors"),
    ("report", "mine"): ("config.toml", "history.jsonl", "watch.jsonl", "curves.png"),
    ("committee", "two", "--members", "mine,other"): (
        "config.toml", "model.safetensors", "report.json",
    ),
    ("train", "--resume", "mine", "--no-pictures"): (
        "config.toml", "checkpoints/step-000000028.safetensors", "by_hand.jsonl",
    ),
    ("train", "--config", "runs/mine/config.toml"): ("config.toml",),
}  # fmt: skip


@contextmanager
def forbidden(path: Path) -> Iterator[None]:
    """While this lasts the system lets nobody open the file, or look into the folder."""
    end = path.absolute()

    def is_it(name: object) -> bool:
        if not isinstance(name, str | bytes | os.PathLike):
            return False
        asked = Path(os.fsdecode(name)).absolute()
        return asked == end or (end in asked.parents)

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(name: Any, *arguments: Any, **named: Any) -> Any:
            if is_it(name):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(name))
            return real(name, *arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refusing(os.open))
        patch.setattr(io, "open", refusing(io.open))
        patch.setattr(builtins, "open", refusing(builtins.open))
        if path.is_dir():
            real = os.stat
            patch.setattr(os, "stat", lambda name, *a, **n: (
                refusing(real) if is_it(name) and Path(os.fsdecode(name)).absolute() != end
                else real
            )(name, *a, **n))  # fmt: skip
            patch.setattr(os, "scandir", refusing(os.scandir))
            patch.setattr(os, "listdir", refusing(os.listdir))
        yield


def contents(folder: Path) -> dict[Path, bytes]:
    """All files but those of the lock."""
    names = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in names if path.name not in (".lock", ".writer")}


def one_sentence(done: Any, path: Path) -> None:
    assert done.code in (1, 2, 74), done.err
    (line,) = [one for one in done.err.splitlines() if one.startswith("error: ")]
    assert str(path) in line
    assert "Permission denied" in line
    assert "Traceback" not in done.err


@pytest.mark.parametrize("door", DOORS, ids=" ".join)
def test_a_file(chainrule, mine: Path, door: tuple[str, ...]) -> None:
    shutil.copytree(mine, "runs/other")
    for name in DOORS[door]:
        path = mine / name
        if name.startswith("checkpoints/"):
            path = max(mine.glob("checkpoints/*"))
        made = not path.exists()
        if made:
            path.write_text("")
        before = contents(mine)
        with forbidden(path):
            done = chainrule(*door)
        one_sentence(done, path)
        assert contents(mine) == before
        if made:
            path.unlink()


@pytest.mark.parametrize("door", DOORS, ids=" ".join)
def test_a_folder_that_may_not_be_searched(chainrule, mine: Path, door: tuple[str, ...]) -> None:
    shutil.copytree(mine, "runs/other")
    with forbidden(mine):
        done = chainrule(*door)
    one_sentence(done, mine)


def test_a_figure_is_left_out_and_said(chainrule, mine: Path) -> None:
    with forbidden(mine / "report.json"):
        done = chainrule("report", "mine")
    assert done.code == 0
    assert "left out, all figures: runs/mine/report.json: Permission denied" in done.err


def test_data_and_pictures(chainrule, mine: Path, few: Path, tmp_path: Path) -> None:
    Image.new("L", (28, 28)).save("one.png")
    Path("set").mkdir()
    for name in "ab":
        Path("set", name).mkdir()
        for number in range(3):
            Image.new("L", (4, 4), 80 * number).save(f"set/{name}/{number}.png")
    for path, command in (
        (few, ("evaluate", "mine", "--data", few)), (few, ("train", "--data", few)),
        (Path("one.png"), ("predict", "mine", "one.png")),
        (Path("set/a/1.png"), ("train", "--data", "set")),
    ):  # fmt: skip
        with forbidden(path):
            one_sentence(chainrule(*command), path)

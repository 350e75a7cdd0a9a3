"""What stands where a file of a run belongs is named, not taken for none, and nothing is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from chainrule.core.errors import SaveError
from chainrule.core.files import is_file
from chainrule.runs.folder import claim_folder
from chainrule.runs.lock import only_writer

FILES = ("config.toml", "model.safetensors", "report.json", "history.jsonl", "by_hand.jsonl")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_broken_link(path: Path) -> None:
    path.symlink_to("missing")


KINDS = {"a folder": a_folder, "a link": a_broken_link}
DOORS = {
    ("train", "--resume", "mine", "--no-pictures"): FILES,
    ("evaluate", "mine"): FILES[:2],
    ("predict", "mine", "--index", "0"): FILES[:2],
    ("compare", "mine", "other"): FILES[:2],
    ("export", "mine", "page.html"): FILES[:2],
    ("committee", "two", "--members", "mine,other"): FILES[:2],
    ("report", "mine"): ("config.toml", "history.jsonl", "watch.jsonl"),
}


def contents(folder: Path) -> dict[str, object]:
    """Each name below, with what it holds; the lock's own left out."""
    return {
        str(path): path.lstat().st_ino if path.is_symlink() or path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
        if path.name not in (".lock", ".writer")
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS, ids=" ".join)
def test_it_is_named_in_one_sentence_and_nothing_is_written(
    chainrule, mine: Path, door: tuple[str, ...], kind: str
) -> None:
    shutil.copytree(mine, "runs/other")
    for name in DOORS[door]:
        kept = (mine / name).read_bytes() if (mine / name).exists() else None
        (mine / name).unlink(missing_ok=True)
        KINDS[kind](mine / name)
        before = contents(Path("runs"))
        done = chainrule(*door)
        assert done.code in (1, 2), (name, done.err)
        assert f"{mine / name}: it is {kind}" in done.err
        assert done.err.count("\n") <= 2, done.err
        assert "Traceback" not in done.err
        assert contents(Path("runs")) == before, name
        (mine / name).rmdir() if kind == "a folder" else (mine / name).unlink()
        if kept is not None:
            (mine / name).write_bytes(kept)


def test_the_newest_run_is_one_with_a_model(chainrule, mine: Path) -> None:
    a_folder_ = Path("runs/empty/model.safetensors")
    a_folder_.mkdir(parents=True)
    Path("runs/gone").mkdir()
    a_broken_link(Path("runs/gone/model.safetensors"))
    done = chainrule("predict", "--index", "0")
    assert done.code == 0, done.err
    assert "the newest run, mine" in done.err


def test_a_file_a_link_to_one_and_nothing_are_told_apart(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    assert not is_file(path)
    assert not is_file(path / "below")
    path.write_bytes(b"")
    link.symlink_to(path)
    assert is_file(path)
    assert is_file(link)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is neither a file nor a folder, where a file belongs"):
        is_file(tmp_path / "pipe")


def test_a_folder_too_deep_for_the_lock_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(17):
        Path("d" * 250).mkdir()
        os.chdir("d" * 250)
    folder = claim_folder("deep", otherwise="")
    with pytest.raises(SaveError, match="File name too long"), only_writer(folder, new=True):
        pass
    assert list(Path("runs").iterdir()) == []
    os.chdir(tmp_path)


@pytest.mark.parametrize("changed", ["settings", "data"])
def test_the_checkpoints_of_another_run_are_told_as_such(
    chainrule, mine: Path, few: Path, changed: str
) -> None:
    options = ("--epochs", 2, "--batch-size", 50, "--no-pictures", "--quiet")
    data, seed = few, 1
    if changed == "data":
        data, seed = Path("other.csv"), 0
        rows = few.read_text().splitlines()
        data.write_text("\n".join(rows[::-1]))
    assert chainrule("train", "--data", data, "--run", "b", "--seed", seed, *options).code == 0
    shutil.rmtree(mine / "checkpoints")
    shutil.copytree("runs/b/checkpoints", mine / "checkpoints")
    before = contents(mine)
    done = chainrule("train", "--resume", "mine", "--no-pictures")
    assert done.code in (1, 2)
    assert f"begun with other {changed}" in done.err
    assert "put the run's own checkpoints back if this one is of another" in done.err
    assert "checkpoints/step-" in done.err
    assert contents(mine) == before


@pytest.mark.parametrize(
    "door",
    [
        ("export", "mine", "pipe.html"), ("report", "mine", "pipe.html"),
        ("predict", "mine", "--index", "0", "--show", "pipe.png"),
        ("predict", "mine", "one.png", "--output", "pipe.csv"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_pipe_given_for_output_is_refused_and_stays(
    chainrule, mine: Path, door: tuple[str, ...]
) -> None:
    Image.new("L", (28, 28)).save("one.png")
    pipe = Path(door[-1])
    os.mkfifo(pipe)
    done = chainrule(*door)
    assert done.code in (1, 2)
    assert f"{pipe}: a pipe, a device or a socket has this name" in done.err
    assert "Traceback" not in done.err
    assert pipe.is_fifo()
    assert sorted(path.name for path in Path().iterdir()) == sorted(["one.png", pipe.name, "runs"])

"""Files of the current folder, which may be a stranger's: no command obeys them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = "backend: module://evil\nfont.size: 40\nno.such.key: 1\n"


def drawn(folder: Path, few: Path) -> tuple[str, bytes]:
    """(stderr, picture) of a command that draws, in a process of its own."""
    command = [sys.executable, "-P", "-m", "chainrule", "distort", "--data", str(few), "-q"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr, (folder / "samples.png").read_bytes()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, few: Path) -> bytes:
    return drawn(tmp_path_factory.mktemp("plain"), few)[1]


@pytest.mark.parametrize("kind", ["file", "pipe", "bytes", "link"])
def test_settings_of_matplotlib_in_the_current_folder_are_not_read(
    tmp_path: Path, few: Path, expected: bytes, kind: str
) -> None:
    """A pipe never ends, bytes are no text, a bad key is a warning."""
    path = tmp_path / "matplotlibrc"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("no such file")
    else:
        path.write_bytes(b"\xff\xfe\x00" if kind == "bytes" else SETTINGS.encode())
    (tmp_path / "evil.py").write_text("open('owned', 'w')")
    assert drawn(tmp_path, few) == ("", expected)
    assert not (tmp_path / "owned").exists()


def test_the_current_folder_stays_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chainrule.cli import foreign

    (tmp_path / "rc").write_text("")
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []
    monkeypatch.setattr(foreign, "OBEYED", {"rc": "a library", "no such file": "another"})
    monkeypatch.setattr(foreign, "find_spec", lambda name: type("Spec", (), {"origin": __file__}))
    monkeypatch.setattr(foreign, "import_module", lambda name: seen.append(str(Path.cwd())))
    foreign.import_elsewhere()
    assert seen == [str(Path(__file__).parent)]
    assert Path.cwd() == tmp_path

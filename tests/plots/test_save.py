"""A picture fits on its paper and is saved whole, the same each time."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from chainrule.plots.style import save
from helpers.pictures import PICTURES, names, visible_texts


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_cut_off_and_none_lies_on_another(name: str) -> None:
    figure = PICTURES[name]()
    found = visible_texts(figure)
    width, height = figure.get_size_inches() * figure.dpi
    for text, (left, bottom, right, top) in found:
        inside = left >= 0 and bottom >= 0 and right <= width and top <= height
        assert inside, text.get_text()
    upright = [(text, box) for text, box in found if text.get_rotation() in (0, 90)]
    for (one, a), (other, b) in itertools.combinations(upright, 2):
        overlap = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        assert not (overlap > 1).all(), (one.get_text(), other.get_text())


@pytest.mark.parametrize("name", ["curves", "confusion", "mistakes", "samples", "first layer"])
def test_the_same_input_gives_the_same_bytes_whatever_the_user_has_set(
    name: str, tmp_path: Path
) -> None:
    save(PICTURES[name](), tmp_path / "one.png")
    odd = {"axes.grid": True, "font.size": 20, "image.cmap": "jet", "savefig.facecolor": "red"}
    with matplotlib.rc_context({**odd, "lines.linewidth": 9, "savefig.bbox": "tight"}):
        save(PICTURES[name](), tmp_path / "two.png")
        assert matplotlib.rcParams["font.size"] == 20  # the user's settings are left alone
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_the_file_is_a_png_without_notes_about_the_program(tmp_path: Path) -> None:
    figure = PICTURES["samples"]()
    save(figure, str(tmp_path / "picture.PNG"))
    with Image.open(tmp_path / "picture.PNG") as picture:
        assert picture.format == "PNG"
        assert set(picture.info) == {"dpi"}
        assert picture.size == pytest.approx(figure.get_size_inches() * 150, abs=1)
    assert names(tmp_path) == ["picture.PNG"]


def test_a_failed_save_leaves_the_old_picture_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "picture.png"
    target.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        save(PICTURES["no mistake"](), target)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["picture.png"]


def test_a_name_that_is_not_a_png_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    figure = PICTURES["no mistake"]()
    with pytest.raises(ValueError, match=r"'picture.jpg': give it a name ending in .png"):
        save(figure, tmp_path / "picture.jpg")
    with pytest.raises(FileNotFoundError, match=r"create the folder .*gone first"):
        save(figure, tmp_path / "gone" / "picture.png")
    assert names(tmp_path) == []


def test_it_needs_no_screen_no_font_cache_and_no_pyplot(tmp_path: Path) -> None:
    program = """
import sys
import numpy as np
from chainrule.plots.confusion_matrix import confusion
from chainrule.plots.examples import mistakes
from chainrule.plots.style import save
save(confusion(np.eye(3, dtype=int), ["a", "b", "c"]), sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules
for labels, confidence in ((np.zeros(3, int), np.ones(2)), (np.zeros(2, int), np.ones(3))):
    try:
        mistakes(np.zeros((2, 4)), labels, predicted=np.zeros(2, int),
                       confidence=confidence, shape=(2, 2), classes=["a"])
    except ValueError as error:
        print(error)
"""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    (tmp_path / "cache").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "picture.png")],
        env=environment | {"MPLCONFIGDIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Shapes are checked without jaxtyping too, which a user's process never loads.
    first, second = done.stdout.splitlines()
    assert first.startswith("images of shape (2, 4), 3 labels and 2 predictions do not fit")
    assert second.endswith("give one confidence for each label")
    assert (tmp_path / "picture.png").stat().st_size > 1000

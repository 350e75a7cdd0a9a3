"""`predict` reads one digit or several, says which run read them, and draws what it saw."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.data.dataset import Dataset
from chainrule.digits.preprocess import find
from chainrule.nn.model_file import load_model, save
from chainrule.nn.network import Network
from helpers.photos import pasted

ROW = [(40, 20 + 60 * k) for k in range(7)]


@pytest.fixture
def phone(mnist: Dataset, tmp_path: Path) -> Path:
    """A picture of the first seven test digits: 7210414."""
    Image.fromarray(pasted(mnist.test.images[:7].reshape(-1, 28, 28), ROW)).save(
        tmp_path / "phone.png"
    )
    return tmp_path / "phone.png"


@pytest.fixture
def seven(mnist: Dataset, tmp_path: Path) -> Path:
    sheet = pasted(mnist.test.images[:1].reshape(-1, 28, 28), [(20, 30)], shape=(90, 120))
    Image.fromarray(sheet).save(tmp_path / "seven.jpg")
    return tmp_path / "seven.jpg"


def test_several_digits_are_one_line_and_a_row_each(chainrule, mine, phone) -> None:
    done = chainrule("predict", "mine", "phone.png", "--sure", 0)
    assert done.code == 0, done.err
    model = load_model(mine / "model.safetensors")
    digits = find(Image.open(phone))
    probabilities = model.predict_proba(np.stack([d.pixels.ravel() for d in digits]))
    read = "".join(map(str, probabilities.argmax(axis=1)))
    lines = done.out.splitlines()
    assert lines[0] == f"phone.png: {read}"
    rows = [line.split() for line in lines if " at (" in line]
    assert [row[0] for row in rows] == [*read]
    for row, p, digit in zip(rows, probabilities, digits, strict=True):
        assert row[1] == f"{100 * p.max():.1f}"
        top, left, height, width = digit.box
        assert " ".join(row).endswith(f"{width} x {height} at ({left}, {top})")


def test_json_has_an_entry_for_each_digit_with_its_box(chainrule, mine, phone, seven) -> None:
    done = chainrule("predict", "mine", "phone.png", "seven.jpg", "--index", 3, "--json")
    predictions = json.loads(done.out)["predictions"]
    assert [one["image"] for one in predictions] == ["phone.png"] * 7 + [
        "seven.jpg",
        "test image 3",
    ]
    boxes = [list(digit.box) for digit in find(Image.open(phone))]
    assert [one["box"] for one in predictions[:7]] == boxes
    assert predictions[-1]["box"] == [0, 0, 28, 28]
    for one in predictions:
        assert set(one) == {"image", "digit", "probabilities", "box", "line"}
        assert one["digit"] == int(np.argmax(one["probabilities"]))


def test_below_the_threshold_it_is_not_sure(chainrule, mine, phone, seven) -> None:
    assert "?" not in chainrule("predict", "mine", "phone.png", "--sure", 0).out
    unsure = chainrule("predict", "mine", "phone.png", "--sure", 1).out
    assert unsure.splitlines()[0] == "phone.png: ???????"
    assert unsure.count("not sure") == 7
    assert "not sure, perhaps" in chainrule("predict", "mine", "seven.jpg", "--sure", 1).out
    assert "not sure" not in chainrule("predict", "mine", "seven.jpg", "--sure", 0).out


def test_lines_are_printed_one_below_the_other(chainrule, mine, mnist, tmp_path) -> None:
    places = [(20 + 90 * line, 20 + 70 * k) for line in range(2) for k in range(3)]
    sheet = pasted(mnist.test.images[:6].reshape(-1, 28, 28), places)
    Image.fromarray(sheet).save(tmp_path / "lines.png")
    done = chainrule("predict", "mine", "lines.png", "--sure", 0)
    heads = [line.split(": ")[0] for line in done.out.splitlines()[:2]]
    assert heads == ["lines.png, line 1", "lines.png, line 2"]


def test_without_a_run_the_newest_one_reads(chainrule, mine, seven) -> None:
    shutil.copytree(mine, "runs/older")
    os.utime("runs/older/model.safetensors", (1, 1))
    done = chainrule("predict", "seven.jpg")
    assert done.code == 0, done.err
    assert "mine" in done.err
    assert done.out == chainrule("predict", "mine", "seven.jpg").out
    assert chainrule("predict", "seven.jpg", "-q").err == ""


def test_without_any_run_one_sentence_says_what_to_do(chainrule, seven) -> None:
    done = chainrule("predict", "seven.jpg")
    assert done.code in (1, 2)
    assert "chainrule train" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("what", [["phone.png"], ["seven.jpg"], ["--index", 3]])
def test_show_draws_what_was_seen(chainrule, mine, phone, seven, what) -> None:
    done = chainrule("predict", "mine", *what, "--show", "seen.png")
    assert done.code == 0, done.err
    with Image.open("seen.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 700


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["phone.png", "seven.jpg", "--show", "seen.png"], 2, "one image to draw"),
        (["phone.png", "--show", "none/seen.png"], 2, "--show none/seen.png"),
        (["phone.png", "--show", "seen.jpg"], 2, "ending in .png"),
        (["phone.png", "--sure", "2"], 2, "--sure"),
        (["blank.png"], 1, "blank.png: no digit found"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    chainrule, mine, phone, seven, arguments, code, words
) -> None:
    Image.new("L", (90, 90), 200).save("blank.png")
    done = chainrule("predict", "mine", *arguments)
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_on_its_side_is_read_like_one_that_stands(
    chainrule, mine, phone, tmp_path, orientation
) -> None:
    turns = {3: 2, 6: 1, 8: 3}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = np.rot90(np.asarray(Image.open(phone)), turns).copy()
    Image.fromarray(turned).save(tmp_path / "turned.png", exif=exif)
    upright, found = (
        json.loads(chainrule("predict", "mine", name, "--json").out)["predictions"]
        for name in ("phone.png", "turned.png")
    )
    assert [one | {"image": ""} for one in found] == [one | {"image": ""} for one in upright]


def test_pictures_of_other_things_than_digits_are_taken_as_a_whole(
    chainrule, mine, phone, tmp_path
) -> None:
    """Two shoes, or a letter with a dot, are one picture to a network of other classes."""
    from chainrule.nn.model_file import Model

    network = Network.dense([784, 2], rng=np.random.default_rng(0))
    save(Model(network, classes=("cat", "dog"), shape=(28, 28)), tmp_path / "pets.safetensors")
    done = chainrule("predict", "pets.safetensors", "phone.png", "--json")
    assert len(json.loads(done.out)["predictions"]) == 1


def test_of_several_pictures_each_answers_for_itself(chainrule, mine, tmp_path) -> None:
    blank, broken = tmp_path / "blank.png", tmp_path / "broken.png"
    Image.new("L", (100, 100), 255).save(blank)
    broken.write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    seven = np.full((100, 100), 255, np.uint8)
    seven[20:26, 30:70] = seven[20:80, 62:70] = 0
    Image.fromarray(seven).save(tmp_path / "seven.png")
    pictures = ("blank.png", "seven.png", "broken.png", "nowhere.png")
    done = chainrule("predict", "mine", *pictures)
    assert done.code == 1
    assert "seven.png: " in done.out
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert [name for name in pictures if any(name in line for line in lines)] == [
        "blank.png", "broken.png", "nowhere.png",
    ]  # fmt: skip
    done = chainrule("predict", "mine", *pictures, "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert [one["image"] for one in found["predictions"]] == ["seven.png"]
    assert [one["image"] for one in found["errors"]] == ["blank.png", "broken.png", "nowhere.png"]
    assert "errors" not in json.loads(chainrule("predict", "mine", "seven.png", "--json").out)

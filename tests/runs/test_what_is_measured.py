"""`evaluate` and `compare` use all that they are given, and say how many that is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.nn.model_file import load_model


@pytest.fixture
def other(mnist, tmp_path: Path) -> Path:
    """A test set as a CSV, a hundred and twenty images sorted by their labels."""
    labels, order = mnist.test.labels[:120], np.argsort(mnist.test.labels[:120], kind="stable")
    table = np.column_stack([labels, np.rint(mnist.test.images[:120] * 255)]).astype(int)
    np.savetxt(tmp_path / "other.csv", table[order], fmt="%d", delimiter=",")
    return tmp_path / "other.csv"


def test_evaluate_measures_on_every_image_of_a_file_in_one_part(chainrule, mine, other) -> None:
    done = chainrule("evaluate", "mine", "--data", other, "--json")
    found = json.loads(done.out)
    assert f"all 120 images of {other} are measured on" in done.err
    assert found["images"] == np.sum(found["confusion"]) == 120
    table = np.loadtxt(other, delimiter=",")
    probabilities = load_model(mine / "model.safetensors").predict_proba(
        (table[:, 1:] / np.float32(255)).astype(np.float32)
    )
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != table[:, 0])
    assert [one["index"] for one in found["mistakes"]] == wrong.tolist()
    assert "of 120 test images right" in chainrule("evaluate", "mine", "--data", other).out


def test_compare_too(chainrule, mine, other) -> None:
    found = json.loads(chainrule("compare", "mine", "mine", "--data", other, "--json").out)
    assert found["images"] == 120


def test_the_runs_own_data_are_measured_on_what_it_did_not_learn(chainrule, mine, few) -> None:
    done = chainrule("evaluate", "mine", "--data", few, "--json")
    assert json.loads(done.out)["images"] == 101
    assert "only the 101 images held out as test are measured on" in done.err


def test_of_data_in_two_parts_the_test_part_is_measured_on_and_named(
    chainrule, mine, other, few, tmp_path
) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "train.csv").write_text(few.read_text())
    (folder / "test.csv").write_text(other.read_text())
    done = chainrule("evaluate", "mine", "--data", folder, "--json")
    assert json.loads(done.out)["images"] == 120
    assert "its test part of 120 images is measured on, not the other 700" in done.err


def test_images_that_it_was_trained_on_are_called_so(chainrule, few, other) -> None:
    options = ("--epochs", 1, "--no-pictures", "--quiet", "--run", "both")
    chainrule("train", "--data", few, "--test-data", other, *options)
    done = chainrule("evaluate", "both", "--data", few)
    assert "all 700 images of" in done.err
    assert "measured on, the images it was trained on" in done.err


def folders(place: Path, **levels: int) -> Path:
    """A folder of pictures, a sub-folder for each name, in which one row of pixels is bright."""
    for name, row in levels.items():
        (place / name).mkdir(parents=True)
        for k in range(14):
            pixels = np.zeros((4, 4), np.uint8)
            pixels[row] = 200 + k
            Image.fromarray(pixels).save(place / name / f"{k}.png")
    return place


def test_sub_folders_are_matched_with_classes_by_name(chainrule, tmp_path) -> None:
    folders(tmp_path / "all", ant=0, bee=1, cat=2)
    options = ("--layers", "16,3", "--learning-rate", 0.1, "--epochs", 30, "--no-pictures")
    done = chainrule("train", "--data", "all", *options, "--run", "three", "-q")
    assert done.code == 0, done.err
    folders(tmp_path / "some", bee=1, cat=2)
    found = json.loads(chainrule("evaluate", "three", "--data", "some", "--json").out)
    assert (found["images"], found["errors"]) == (28, 0)
    assert [one["support"] for one in found["per_class"]] == [0, 14, 14]
    folders(tmp_path / "others", ant=0, bee=1, dog=2)
    done = chainrule("evaluate", "three", "--data", "others")
    assert done.code == 1
    assert "the class 'dog' is none that the network knows, which are ant, bee, cat" in done.err


@pytest.mark.parametrize("count", [1, 5])
def test_a_few_images_or_a_single_class_are_measured_on_too(chainrule, mine, mnist, count) -> None:
    chosen = np.flatnonzero(mnist.test.labels == 7)[:count]
    table = np.column_stack([mnist.test.labels, np.rint(mnist.test.images * 255)])[chosen]
    np.savetxt("sevens.csv", table, fmt="%d", delimiter=",")
    done = chainrule("evaluate", "mine", "--data", "sevens.csv", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["images"] == count
    assert chainrule("compare", "mine", "mine", "--data", "sevens.csv").code == 0


@pytest.mark.parametrize(("white", "dtype"), [(4095, np.uint16), (16, np.uint8)])
def test_other_data_are_seen_in_the_range_that_was_trained_on(
    chainrule, white, dtype, tmp_path
) -> None:
    """Darker ones stay darker: 500 is not white among numbers up to 4,095, nor 12 among 16."""
    levels = {"dark": white // 8, "half": white // 2, "light": white}
    for place, names in (("all", levels), ("some", ["dark", "half"])):
        for name in names:
            (tmp_path / place / name).mkdir(parents=True)
            for k in range(14):
                pixels = np.zeros((4, 4), dtype)
                pixels[0], pixels[1, 0] = levels[name], k % 2
                Image.fromarray(pixels).save(tmp_path / place / name / f"{k}.png")
    options = ("--layers", "16,8,3", "--learning-rate", 0.05, "--epochs", 150, "--no-pictures")
    assert chainrule("train", "--data", "all", *options, "--run", "lit", "-q").code == 0
    assert json.loads(chainrule("evaluate", "lit", "--json").out)["errors"] == 0
    found = json.loads(chainrule("evaluate", "lit", "--data", "some", "--json").out)
    assert (found["images"], found["errors"]) == (28, 0)


def test_labels_from_one_are_the_same_numbers_in_other_data(chainrule, tmp_path) -> None:
    """Even where the other data lack the highest, so that 0..11 would do for their labels."""
    labels = np.arange(12 * 14) % 12 + 1
    images = np.eye(12, 16, dtype=int)[labels - 1] * 200
    for name, rows in (("all.csv", labels > 0), ("some.csv", labels < 12)):
        table = np.column_stack([labels, images])[rows]
        np.savetxt(tmp_path / name, table, fmt="%d", delimiter=",")
    options = ("--layers", "16,12", "--learning-rate", 0.1, "--epochs", 30, "--no-pictures")
    done = chainrule("train", "--data", "all.csv", *options, "--run", "twelve", "-q")
    assert done.code == 0, done.err
    found = json.loads(chainrule("evaluate", "twelve", "--data", "some.csv", "--json").out)
    assert (found["images"], found["errors"]) == (11 * 14, 0)
    assert found["per_class"][0]["class"] == "1"


def test_members_that_held_out_different_images_fit_no_temperature(chainrule, few) -> None:
    options = ("--recipe", "fast", "--seeds", "0,1", "--data", few, "--quiet")
    assert chainrule("committee", "two", *options).code == 0
    found = json.loads(chainrule("evaluate", "two", "--json").out)["calibration"]
    assert found["temperature"] is None
    assert "the members of the committee held out different images" in found["reason"]


def test_python_reads_one_part_whole_where_it_is_not_to_be_split(few) -> None:
    whole = cr.load(path=few, split=False)
    assert len(whole.train.labels) == len(whole.test.labels) == 700
    np.testing.assert_array_equal(whole.train.images, whole.test.images)
    assert len(cr.load(path=few).test.labels) == 101

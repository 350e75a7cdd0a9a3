"""`chainrule evaluate`: how sure it says one can be, held to the library's own figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data.dataset import DIGITS
from chainrule.data.label_errors import DISPUTED
from chainrule.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability,
    tempered,
)
from chainrule.experiments.job import prepare
from chainrule.experiments.recipes import combine
from chainrule.nn.dense import Dense
from chainrule.nn.model_file import Model, load_model, save
from chainrule.nn.network import Network

HELD_OUT = 99
"""A sixth of the 599 training images: as many as the recipe `fast` holds out of so few."""


@pytest.fixture(scope="session")
def reader(tmp_path_factory) -> Path:
    """A model file of a network for MNIST that has learned nothing."""
    network = Network.dense([784, 10], rng=np.random.default_rng(0))
    path = tmp_path_factory.mktemp("reader") / "reader.safetensors"
    return save(Model(network, classes=DIGITS, shape=(28, 28)), path)


def calibration(done) -> dict:
    assert done.code == 0, done.err
    return json.loads(done.out)["calibration"]


def test_calibration_is_that_of_the_library_on_the_test_images(chainrule, mine, few) -> None:
    found = calibration(chainrule("evaluate", "mine", "--json"))
    test = cr.load(path=few).test
    probabilities = load_model(mine / "model.safetensors").predict_proba(test.images)
    error = expected_calibration_error(probabilities, test.labels)
    assert found["expected_calibration_error"] == pytest.approx(error, rel=1e-6)
    assert found["mean_confidence"] == pytest.approx(probabilities.max(axis=1).mean(), rel=1e-6)
    assert len(found["bins"]) == 15
    assert sum(one["count"] for one in found["bins"]) == len(test.labels)
    text = chainrule("evaluate", "mine").out
    assert "\\x0a" not in text
    assert [line for line in text.splitlines() if line.startswith("at temperature ")]
    assert f"expected calibration error {100 * error:.2f} %" in text


def test_where_training_held_nothing_out_one_sentence_says_so(chainrule, few) -> None:
    options = ("--validation", 0, "--epochs", 1, "--no-pictures", "--quiet", "--run", "all")
    chainrule("train", "--data", few, *options)
    found = calibration(chainrule("evaluate", "all", "--json"))
    assert found["temperature"] is found["at_temperature"] is None
    assert found["fitted_on"] == 0
    text = chainrule("evaluate", "all").out
    assert "no temperature was fitted: training held out no images" in text


def test_the_temperature_is_fitted_on_the_held_out_images_alone(chainrule, mine, few) -> None:
    found = calibration(chainrule("evaluate", "mine", "--json"))
    data = cr.load(path=few)
    model = load_model("runs/mine/model.safetensors")
    images, labels = prepare(combine("fast")[0], data).validation
    T = fit_temperature(model.predict_proba(images), labels)
    assert found["temperature"] == pytest.approx(T, rel=1e-5)
    assert found["fitted_on"] == HELD_OUT
    after = reliability(tempered(model.predict_proba(data.test.images), T), data.test.labels)
    error = found["at_temperature"]["expected_calibration_error"]
    assert error == pytest.approx(after.error, rel=1e-4)
    text = chainrule("evaluate", "mine").out
    assert f"at temperature {T:.3f}, fitted on the {HELD_OUT} images that training held" in text


def test_in_order_the_last_of_those_asked_for_are_held_out(chainrule, few) -> None:
    options = ("--epochs", 1, "--batch-size", 50, "--no-pictures", "--quiet", "--run", "part")
    options += ("--split", "in-order")
    chainrule("train", "--data", few, "--examples", 300, "--validation", 60, *options)
    data = cr.load(path=few)
    held = load_model("runs/part/model.safetensors").predict_proba(data.train.images[240:300])
    found = calibration(chainrule("evaluate", "part", "--json"))
    assert found["temperature"] == pytest.approx(
        fit_temperature(held, data.train.labels[240:300]), rel=1e-5
    )


def test_a_model_without_its_configuration_or_with_other_data_gets_no_temperature(
    chainrule, mine, few, tmp_path
) -> None:
    shutil.copy("runs/mine/model.safetensors", "bare.safetensors")
    bare = calibration(chainrule("evaluate", "bare.safetensors", "--data", few, "--json"))
    assert bare["temperature"] is None
    assert "config.toml" in bare["reason"]
    rows = few.read_text().splitlines()
    (tmp_path / "other.csv").write_text("\n".join(rows[1:]) + "\n")
    other = calibration(chainrule("evaluate", "mine", "--data", "other.csv", "--json"))
    assert other["temperature"] is None
    assert "not part of these data" in other["reason"]
    shutil.copy(few, "same.csv")
    same = calibration(chainrule("evaluate", "mine", "--data", "same.csv", "--json"))
    assert same["fitted_on"] == HELD_OUT


def test_held_out_images_that_are_all_right_fit_no_temperature(chainrule, tmp_path) -> None:
    labels = np.arange(60) % 2
    rows = [f"{k},{255 * k},{255 - 255 * k}" for k in labels]
    (tmp_path / "easy.csv").write_text("\n".join(rows) + "\n")
    options = ("--classes", "a,b", "--validation", 9, "--epochs", 30, "--layers", "2,2")
    options += ("--no-pictures",)
    done = chainrule(
        "train", "--data", "easy.csv", *options, "--learning-rate", 0.1, "--run", "easy", "-q"
    )
    assert done.code == 0, done.err
    found = calibration(chainrule("evaluate", "easy", "--json"))
    assert found["temperature"] is None
    assert "all 9 images that training held out are right" in found["reason"]


def test_the_disputed_labels_are_counted_and_left_out_on_mnist(chainrule, reader, mnist) -> None:
    found = json.loads(chainrule("evaluate", reader, "--json").out)
    wrong = load_model(reader).predict_proba(mnist.test.images).argmax(axis=1) != mnist.test.labels
    disputed = found["without_disputed_labels"]
    assert disputed["disputed"] == sorted(DISPUTED)
    assert disputed["disputed_errors"] == wrong[sorted(DISPUTED)].sum()
    assert disputed["errors"] == np.delete(wrong, sorted(DISPUTED)).sum()
    assert disputed["accuracy"] == pytest.approx(1 - disputed["errors"] / 9985)
    low, high = disputed["interval"]
    assert low < disputed["accuracy"] < high
    text = chainrule("evaluate", reader).out
    assert f"15 disputed test labels: {disputed['disputed_errors']};" in text
    assert "of 9,985 test images right" in text


def test_other_data_have_no_disputed_labels(chainrule, mine) -> None:
    assert (
        json.loads(chainrule("evaluate", "mine", "--json").out)["without_disputed_labels"] is None
    )
    assert "dispute" not in chainrule("evaluate", "mine").out


def test_each_mistake_comes_with_its_confidence(chainrule, mine, few) -> None:
    found = json.loads(chainrule("evaluate", "mine", "--json").out)
    test = cr.load(path=few).test
    probabilities = load_model(mine / "model.safetensors").predict_proba(test.images)
    assert len(found["mistakes"]) == found["errors"] > 0
    for one in found["mistakes"]:
        assert test.labels[one["index"]] == one["actual"] != one["predicted"]
        expected = probabilities[one["index"], one["predicted"]]
        assert one["confidence"] == pytest.approx(expected, rel=1e-5)


def test_pictures_are_drawn_where_they_are_wanted_and_nowhere_else(
    chainrule, mine, tmp_path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    chainrule("evaluate", "mine")
    assert sorted(tmp_path.rglob("*")) == before
    done = chainrule("evaluate", "mine", "--pictures", "drawn")
    assert done.out.endswith("drawn: mistakes.png, reliability.png, confusion.png\n")
    names = ["confusion.png", "mistakes.png", "reliability.png"]
    assert sorted(path.name for path in Path("drawn").iterdir()) == names
    for name in names:
        with Image.open(Path("drawn", name)) as picture:
            assert picture.format == "PNG"
    again = json.loads(chainrule("evaluate", "mine", "--pictures", "drawn", "--json").out)
    assert sorted(again["pictures"]) == [f"drawn/{name}" for name in names]


def test_answers_that_are_not_numbers_are_refused(chainrule, few) -> None:
    network = Network([Dense(784, 10, "identity"), Dense(10, 10)])
    network.W[0].fill(3e38)
    network.W[1].fill(-3e38)
    save(Model(network, classes=DIGITS, shape=(28, 28)), "huge.safetensors")
    done = chainrule("evaluate", "huge.safetensors", "--data", few)
    assert done.code == 1
    assert "huge.safetensors: its answers to 700 of 700 images are not finite" in done.err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("validation = 99", "validation = -3", "validation = -3: give a number from 0"),
        ("validation = 99", 'validation = "many"', "give a value of type int"),
        ("validation = 99", "validation = 599", "validation 599 of 599 training examples"),
        ("validation = 99", f"validation = {10**30}", "a number of 31 digits"),
        ("validation = 99\n", "validation = 5\nexamples = 5\n", "validation 5 of 5 training"),
    ],
)
def test_a_configuration_that_cannot_be_right_is_one_sentence(
    old: str, new: str, words: str, chainrule, mine
) -> None:
    config = mine / "config.toml"
    lines = config.read_text()
    if "\nexamples" in new:
        lines = lines.replace("examples = 0\n", "")
    assert old in lines
    config.write_text(lines.replace(old, new))
    done = chainrule("evaluate", "mine")
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("taken", "--pictures taken: a file has this name; give a folder"),
        ("taken/below", "--pictures taken/below: there is no folder taken; make it first"),
        ("gone/below", "--pictures gone/below: there is no folder gone; make it first"),
        ("n" * 300, "File name too long"),
        ("a\0b", "null"),
    ],
)
def test_a_folder_that_cannot_be_made_is_one_sentence(
    folder: str, words: str, chainrule, mine
) -> None:
    Path("taken").write_text("")
    done = chainrule("evaluate", "mine", "--pictures", folder)
    assert done.code == 2
    assert words in done.err
    assert not done.out


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_figure_of_a_table_is_cut_however_narrow_the_terminal(
    chainrule, mine, monkeypatch, columns: int
) -> None:
    wide = chainrule("evaluate", "mine").out
    monkeypatch.setenv("COLUMNS", str(columns))
    narrow = chainrule("evaluate", "mine").out
    assert "…" not in narrow

    # Whatever is wrapped, every word is there, and in as many places.
    def words(text: str) -> list[str]:
        return sorted(word for word in text.split() if word.strip("─"))

    assert words(narrow) == words(wide)


def test_data_that_look_otherwise_than_those_of_training_get_a_word(chainrule, mine, mnist) -> None:
    images, labels = (part[:300] for part in mnist.test)
    rows = np.column_stack([labels, 255 - np.rint(images * 255)]).astype(int)
    np.savetxt("inverted.csv", rows, fmt="%d", delimiter=",")
    asked = ("evaluate", "mine", "--data", "inverted.csv")
    assert "these images look inverted" in chainrule(*asked).out
    told = json.loads(chainrule(*asked, "--json").out)
    assert told["looks"].startswith("these images look inverted")
    assert json.loads(chainrule("evaluate", "mine", "--json").out)["looks"] is None


def test_test_data_that_look_otherwise_than_the_training_data_get_a_word(
    chainrule, few, mnist
) -> None:
    images, labels = (part[:300] for part in mnist.test)
    turned = np.rint(255 * images.reshape(-1, 28, 28).transpose(0, 2, 1)).reshape(300, -1)
    np.savetxt("turned.csv", np.column_stack([labels, turned]), fmt="%d", delimiter=",")
    done = chainrule("train", "--data", few, "--test-data", "turned.csv", "--recipe", "sprint")
    assert "warning: these images look transposed beside those of training" in done.err


@pytest.mark.parametrize("classes", [60, 61])
def test_a_matrix_of_more_classes_than_can_be_read_is_left_to_json(
    chainrule, tmp_path: Path, classes: int
) -> None:
    names = tuple(map(str, range(classes)))
    network = Network([Dense(4, classes)])
    network.b[0][3] = 1  # it always answers 3
    save(Model(network, names, (2, 2)), tmp_path / "many.safetensors")
    labels = np.repeat(np.arange(classes), 2)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 2, 2), np.uint8)
    parts = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "many.npz", **parts)
    text = chainrule("evaluate", "many.safetensors", "--data", "many.npz").out
    assert ("confusion: rows actual" in text) is (classes == 60)
    assert ("most frequent mistakes" in text) is (classes == 61)
    if classes == 61:
        rows = text.partition("most frequent mistakes")[2].splitlines()
        assert [row.split() for row in rows if row.strip().endswith(" 2")][:2] == [
            ["0", "3", "2"], ["1", "3", "2"],
        ]  # fmt: skip
        assert "the whole confusion matrix of 61 classes: --json, or --pictures FOLDER" in text

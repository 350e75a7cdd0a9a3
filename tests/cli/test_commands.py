"""The other commands: what they print, in words and as JSON, and how they refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.core.tables import Table
from chainrule.nn import gradient_check
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.dense import Dense
from chainrule.nn.losses import LOSSES
from chainrule.nn.model_file import Model, load_model, save
from chainrule.nn.network import Network


def test_evaluate_json_agrees_with_the_library(chainrule, mine) -> None:
    done = chainrule("evaluate", "mine", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert set(found) == {
        "images",
        "accuracy",
        "beats_guessing",
        "looks",
        "interval",
        "errors",
        "top_3",
        "confusion",
        "per_class",
        "mistakes",
        "without_disputed_labels",
        "calibration",
        "pictures",
        "corrupted",
        "photos",
    }
    confusion = np.array(found["confusion"])
    assert confusion.trace() / confusion.sum() == pytest.approx(found["accuracy"])
    assert confusion.sum() - confusion.trace() == found["errors"]
    low, high = found["interval"]
    assert low < found["accuracy"] < high
    assert [row["class"] for row in found["per_class"]] == list("0123456789")
    assert found["accuracy"] == json.loads((mine / "report.json").read_text())["test_accuracy"]


def test_evaluate_prints_interval_classes_and_confusion(chainrule, mine) -> None:
    done = chainrule("evaluate", mine / "model.safetensors")
    assert done.code == 0
    report = json.loads((mine / "report.json").read_text())
    assert len(report["mistakes"]) == report["errors"]
    index, actual, predicted = report["mistakes"][0]
    assert (
        f"first 12 of {report['errors']} mistakes, by index among the test images: "
        f"{index} ({actual} read as {predicted})"
    ) in done.out
    one = json.loads(chainrule("predict", "mine", "--index", index, "--json").out)
    assert one["predictions"][0]["digit"] == predicted
    for words in ("95 % interval", "top-3 accuracy", "recall", "rows actual"):
        assert words in done.out


def test_evaluate_refuses_data_that_changed_since_training(chainrule, few, tmp_path) -> None:
    data = tmp_path / "copy.csv"
    shutil.copy(few, data)
    chainrule("train", "--data", data, "--run", "on-copy", "--epochs", 1, "--no-pictures", "-q")
    rows = data.read_text().splitlines()
    data.write_text("\n".join([*rows[1:], rows[0]]) + "\n")
    done = chainrule("evaluate", "on-copy")
    assert done.code == 1
    assert "the checksums differ" in done.err
    assert chainrule("evaluate", "on-copy", "--data", data).code == 0


def test_evaluate_refuses_a_network_of_another_shape(chainrule, few, tmp_path) -> None:
    save(Network([Dense(9, 10)]), tmp_path / "nine.safetensors")
    done = chainrule("evaluate", "nine.safetensors", "--data", few)
    assert done.code == 1
    assert "the network takes 9 pixels" in done.err


def test_predict_reads_pictures_and_test_images(chainrule, mine, mnist, tmp_path) -> None:
    picture = np.full((90, 120), 255, np.uint8)
    picture[20:76, 30:86] = 255 - np.rint(mnist.test.images[0].reshape(28, 28) * 255).repeat(
        2, axis=0
    ).repeat(2, axis=1)
    Image.fromarray(picture).save(tmp_path / "seven.png")
    done = chainrule("predict", "mine", "seven.png", "--index", 3, "--index", 5, "--json")
    assert done.code == 0, done.err
    predictions = json.loads(done.out)["predictions"]
    assert [one["image"] for one in predictions] == ["seven.png", "test image 3", "test image 5"]
    for one in predictions:
        assert len(one["probabilities"]) == 10
        assert sum(one["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert one["digit"] == int(np.argmax(one["probabilities"]))
    data = cr.load(path=json_source(mine))
    model = load_model(mine / "model.safetensors")
    expected = model.predict_proba(data.test.images[[3, 5]])
    np.testing.assert_allclose(
        [one["probabilities"] for one in predictions[1:]], expected, atol=1e-6
    )
    shown = chainrule("predict", "mine", "seven.png")
    assert shown.out.startswith("seven.png: ")
    assert "<-" in shown.out


def json_source(run: Path) -> str:
    line = next(
        row for row in (run / "config.toml").read_text().splitlines() if row.startswith("source")
    )
    return json.loads(line.partition("=")[2])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["predict", "none", "x.png"], 2, ["no run and no model file 'none'"]),
        (["predict", "mine", "none.png"], 1, ["none.png"]),
        (["predict", "mine", "text.png"], 1, ["text.png"]),
        (["predict", "mine"], 2, ["give files, or --index"]),
        (["predict", "mine", "--index", "101"], 2, ["--index 101", "0 to 100"]),
        (["predict", "text.png", "--index", "1"], 1, ["text.png", "PNG or JPEG"]),
        (["evaluate", "mine", "--data", "text.png"], 1, ["text.png"]),
        (["reproduce", "article-6"], 2, ["'article-6'", "relu-45"]),
        (["reproduce", "relu-45", "--fix", "dropout"], 2, ["'dropout'", "narrow-weights"]),
        (["data", "svhn"], 1, ["svhn"]),
        (["nonsense"], 2, ["nonsense"]),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    arguments, code, words, chainrule, mine, tmp_path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    done = chainrule(*arguments)
    assert done.code == code, done.err
    assert all(word in done.err for word in words), done.err
    assert "Traceback" not in done.err


def test_a_network_of_other_images_wants_pictures_of_its_own_size(chainrule, tmp_path) -> None:
    network = Network.dense([6, 4, 2], rng=np.random.default_rng(0))
    save(Model(network, classes=("cat", "dog"), shape=(2, 3)), tmp_path / "pets.safetensors")
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "pet.png")
    done = chainrule("predict", "pets.safetensors", "pet.png", "--json")
    assert json.loads(done.out)["predictions"][0]["digit"] in ("cat", "dog")
    Image.fromarray(np.zeros((4, 3), np.uint8)).save(tmp_path / "tall.png")
    done = chainrule("predict", "pets.safetensors", "tall.png")
    assert done.code == 1
    assert "3 x 4 pixels, the network takes 3 x 2" in done.err


def test_gradcheck_finds_all_gradients_right() -> None:
    # In a process of its own: the shape checks of the tests make it forty times slower.
    command = [sys.executable, "-m", "chainrule", "gradcheck", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["ok"]
    assert result["checked"] > 5000
    assert 0 < result["worst"] <= 1e-7
    assert result["failures"] == []


def test_gradcheck_names_a_wrong_gradient_and_exits_with_1(chainrule, monkeypatch) -> None:
    right = gradient_check.Network.backward

    def wrong(network, dlogits, workspace):
        gradient = right(network, dlogits, workspace)
        workspace.db[1][...] = workspace.db[1].sum()
        return gradient

    few = {name: ACTIVATIONS[name] for name in ("tanh", "identity")}
    monkeypatch.setattr(gradient_check, "ACTIVATIONS", Table("activation", few))
    one = {name: LOSSES[name] for name in ("softmax-cross-entropy",)}
    monkeypatch.setattr(gradient_check, "LOSSES", Table("loss", one))
    assert "all agree" in chainrule("gradcheck").out
    monkeypatch.setattr(gradient_check.Network, "backward", wrong)
    done = chainrule("gradcheck", "--json")
    assert done.code == 1
    failures = json.loads(done.out)["failures"]
    assert {failure["parameter"].split(",")[0] for failure in failures} == {"layer 2"}
    assert all("b[" in failure["parameter"] for failure in failures)
    assert "DIFFER" in chainrule("gradcheck").out


def test_data_lists_what_is_there_with_checksums(chainrule, mnist, few) -> None:
    listed = json.loads(chainrule("data", "--json").out)
    found = {row["name"]: row for row in listed["found"] if row["place"] == "cache"}
    assert found["mnist"]["verified"]
    assert found["mnist"]["checksums"] == mnist.checksums
    text = chainrule("data").out
    assert mnist.checksums["test_labels"] in text
    one = json.loads(chainrule("data", few, "--json").out)
    assert (one["train"], one["test"], one["shape"]) == (599, 101, [28, 28])
    assert "599 images to train on" in chainrule("data", few).out


def test_letters_are_trained_and_read_by_their_names(chainrule, tmp_path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 12
    images = (np.eye(12)[labels].repeat(3, axis=1) * 200 + rng.integers(0, 50, (120, 36))).astype(
        int
    )
    rows = "\n".join(",".join(map(str, [k, *row])) for k, row in zip(labels, images, strict=True))
    (tmp_path / "letters.csv").write_text(rows + "\n")
    unnamed = chainrule("data", "letters.csv")
    assert unnamed.code == 0
    assert "the labels are 0..11: 12 classes, named by these numbers (or --classes)" in unnamed.err
    names = "a,b,c,d,e,f,g,h,i,j,k,l"
    options = ("--classes", names, "--run", "abc", "--no-pictures", "-q")
    done = chainrule("train", "--data", "letters.csv", *options)
    assert done.code == 0, done.err
    found = json.loads(chainrule("evaluate", "abc", "--json").out)
    assert [row["class"] for row in found["per_class"]] == names.split(",")
    digit = json.loads(chainrule("predict", "abc", "--index", 0, "--json").out)["predictions"][0]
    assert digit["digit"] in names.split(",")


def test_version_help_and_the_module_itself(chainrule) -> None:
    assert chainrule("--version").out == f"chainrule {cr.__version__}\n"
    for command in (
        "train",
        "committee",
        "evaluate",
        "compare",
        "predict",
        "distort",
        "data",
        "gradcheck",
    ):
        assert "Usage" in chainrule(command, "--help").out
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"chainrule {cr.__version__}\n"

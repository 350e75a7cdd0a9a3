"""`predict` on a set's own test files gives what `evaluate` measured, to the last image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.data.dataset import Found
from chainrule.data.load import load
from chainrule.nn.model_file import load_model
from chainrule.service.pictures import read_pictures
from chainrule.service.requests import Form
from helpers.sets import SETS

TRAINED = ("--recipe", "sprint", "--epochs", 3, "--layers")


def write_folder(images: np.ndarray, labels: np.ndarray, folder: Path) -> list[Path]:
    """A sub-folder a class, in train/ and test/, one in four for the test; the test's files."""
    tests = []
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        part = folder / ("test" if i // 10 % 4 == 0 else "train") / f"{label}"
        part.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(part / f"{i:05}.png")
        if part.parent.name == "test":
            tests.append(part / f"{i:05}.png")
    return sorted(tests, key=lambda path: (path.parent.name, path.name))


@pytest.mark.parametrize("name", SETS)
def test_predict_gives_the_answers_of_evaluate(chainrule, sample: Found, name: str) -> None:
    images, labels = SETS[name](sample)
    files = write_folder(images, labels, Path("set"))
    layers = f"{images[0].size},24,{len(set(labels))}"
    done = chainrule("train", "--data", "set", "--run", "r", *TRAINED, layers, "--no-pictures")
    assert done.code == 0, done.err
    evaluated = json.loads(chainrule("evaluate", "r", "--json").out)
    mistakes = {mistake["index"]: mistake["predicted"] for mistake in evaluated["mistakes"]}
    model, dataset = load_model("runs/r/model.safetensors"), load(path="set")
    done = chainrule("predict", "r", *files, "--json")
    predicted = json.loads(done.out)
    assert "notes" not in predicted
    assert len(predicted["predictions"]) == len(files)
    pictures = [(path.name, path.read_bytes()) for path in files[:64]]
    asked = read_pictures(pictures, Form.of(model)).images
    for i, one in enumerate(predicted["predictions"]):
        inputs = dataset.test.images[i : i + 1]
        expected = model.predict_proba(inputs)[0]
        assert one["probabilities"] == [float(p) for p in expected]
        answer = mistakes.get(i, files[i].parent.name)
        assert str(answer) == str(one["digit"]), files[i]
        if i < len(asked):
            np.testing.assert_array_equal(asked[i], inputs[0])


def write_file(images: np.ndarray, labels: np.ndarray, kind: str) -> Path:
    """The set as a file or folder of a kind, its last quarter for the test; of CSV one in seven."""
    path, end = Path(kind), len(images) * 3 // 4
    if kind == "set.csv":
        rows = np.column_stack([images.reshape(len(images), -1), labels])
        np.savetxt(path, rows, fmt="%d", delimiter=";")
        return path
    parts = {"train": (images[:end], labels[:end]), "test": (images[end:], labels[end:])}
    if kind == "set.npz":
        named = {f"{x}_{name}": part for name, (X, y) in parts.items()
                 for x, part in (("x", X / 255), ("y", y))}  # fmt: skip
        np.savez(path, **named)
        return path
    path.mkdir()
    for start, (X, y) in zip(("train", "t10k"), parts.values(), strict=True):
        for name, array in (("images-idx3", X), ("labels-idx1", y.astype(np.uint8))):
            sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
            head = bytes([0, 0, 8, array.ndim]) + sides
            (path / f"{start}-{name}-ubyte").write_bytes(head + array.tobytes())
    return path


@pytest.mark.parametrize("kind", ["set.csv", "set.npz", "idx"])
@pytest.mark.parametrize("name", ["black_on_white", "filling_24_pixels"])
def test_test_images_of_any_file_are_read_alike_as_pictures(
    chainrule, sample: Found, name: str, kind: str
) -> None:
    images, labels = SETS[name](sample)
    path = write_file(images, labels, kind)
    done = chainrule("train", "--data", path, "--run", "r", *TRAINED, "784,24,10", "--no-pictures")
    assert done.code == 0, done.err
    evaluated = json.loads(chainrule("evaluate", "r", "--json").out)
    mistakes = {mistake["index"]: mistake["predicted"] for mistake in evaluated["mistakes"]}
    test = load(path=path).test
    files = []
    for i, image in enumerate(test.images[:25]):
        Image.fromarray(np.rint(image * 255).astype(np.uint8).reshape(28, 28)).save(f"{i}.png")
        files.append(f"{i}.png")
    predicted = json.loads(chainrule("predict", "r", *files, "--json").out)["predictions"]
    indexed = [part for i in range(25) for part in ("--index", i)]
    by_index = json.loads(chainrule("predict", "r", *indexed, "--json").out)["predictions"]
    for i, (one, other) in enumerate(zip(predicted, by_index, strict=True)):
        assert one["digit"] == other["digit"] == mistakes.get(i, test.labels[i])
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-6)

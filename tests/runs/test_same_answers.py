"""`predict` on a set's own test files gives what `evaluate` measured, to the last image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.data.dataset import Found
from chainrule.nn.model_file import load_model
from chainrule.service.requests import Form, read_pictures
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
    model = load_model("runs/r/model.safetensors")
    done = chainrule("predict", "r", *files, "--json")
    predicted = json.loads(done.out)
    assert "notes" not in predicted
    assert len(predicted["predictions"]) == len(files)
    pictures = [(path.name, path.read_bytes()) for path in files[:64]]
    asked = read_pictures(pictures, Form.of(model)).images
    for i, one in enumerate(predicted["predictions"]):
        inputs = np.asarray(Image.open(files[i]), np.float32).reshape(1, -1) / np.float32(255)
        expected = model.predict_proba(inputs)[0]
        assert one["probabilities"] == [float(p) for p in expected]
        answer = mistakes.get(i, files[i].parent.name)
        assert str(answer) == str(one["digit"]), files[i]
        if i < len(asked):
            np.testing.assert_array_equal(asked[i], inputs[0])

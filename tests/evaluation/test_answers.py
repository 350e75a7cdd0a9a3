"""Answers that are not finite numbers are refused wherever a network from a file is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.core.errors import ModelFileError
from chainrule.data.dataset import DIGITS, Dataset, Examples
from chainrule.evaluation.assessment import assess_saved
from chainrule.evaluation.calibration import calibrate
from chainrule.evaluation.photos import read_photos
from chainrule.nn.committee import Committee
from chainrule.nn.dense import Dense
from chainrule.nn.model_file import Model, load_model, save
from chainrule.nn.network import Network
from chainrule.runs.evaluation import evaluate_run
from service.conftest import running

WORDS = "images are not finite numbers; its weights are too large"


def too_large() -> Network:
    """A network that answers black images, and none with ink: its finite weights overflow."""
    network = Network([Dense(784, 10, "identity"), Dense(10, 10)])
    network.W[0].fill(3e38)
    network.W[1].fill(-3e38)
    return network


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(Model(too_large(), DIGITS, (28, 28)), tmp_path / "huge.safetensors")


BLACK = np.zeros((4, 784), np.float32)
INK = np.ones((4, 784), np.float32)
LABELS = np.arange(4)
SUMS = dict.fromkeys(("train_images", "train_labels", "test_images", "test_labels"), "0" * 64)


def data(images: np.ndarray) -> Dataset:
    part = Examples(images, LABELS)
    return Dataset("made", part, part, DIGITS, (28, 28), "made", SUMS)


def test_by_the_model_itself(path: Path) -> None:
    model = load_model(path)
    assert model.answers(BLACK) == pytest.approx(0.1)
    with pytest.raises(ModelFileError, match=f"4 of 8 {WORDS}"):
        model.answers(np.concatenate([BLACK, INK]))
    two = Model(Committee((too_large(), Network([Dense(784, 10)]))))
    with pytest.raises(ModelFileError, match=WORDS):
        two.answers(INK)


def test_by_an_assessment_a_calibration_and_photos(path: Path) -> None:
    model = load_model(path)
    found = assess_saved("huge", model, data(BLACK))
    with pytest.raises(ModelFileError, match=f"huge: its answers to 4 of 4 {WORDS}"):
        assess_saved("huge", model, data(INK))
    with pytest.raises(ModelFileError, match=WORDS):
        calibrate(model, found, Examples(INK, LABELS), "")
    seven = INK.reshape(4, 28, 28).copy()
    seven[:, :, :11] = seven[:, :, 15:] = seven[:, :4] = seven[:, 24:] = 0
    with pytest.raises(ModelFileError, match=WORDS):
        read_photos(model.answers, data(seven.reshape(4, 784)), photos=2, rows=1)


def test_by_evaluate_where_only_photos_overflow(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "chainrule.runs.evaluation.read_photos", lambda predict, *_, **__: asked.append(predict)
    )
    monkeypatch.setattr("chainrule.runs.evaluation.data_of", lambda *_, **__: data(BLACK))
    evaluate_run(str(path), photos=True, say=lambda line: None)
    with pytest.raises(ModelFileError, match=WORDS):
        asked[0](INK)


def test_by_predict(chainrule, path: Path, tmp_path: Path) -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 12:15] = 255
    Image.fromarray(picture).save(tmp_path / "one.png")
    for more in ((), ("--json",)):
        done = chainrule("predict", path, tmp_path / "one.png", *more)
        assert done.code == 1
        assert f"1 of 1 {WORDS}" in done.err
        assert "Warning" not in done.err


def test_by_the_service() -> None:
    with running(Model(too_large(), DIGITS, (28, 28))) as ask:
        assert ask.rows(bytes(784)).status == 200
        for kind in ("application/json", "application/octet-stream"):
            answer = ask.rows(bytes(784) + b"\xff" * 784, Accept=kind)
            assert answer.status == 422
            assert answer.error.startswith("the network: its answers to 1 of 2 images")
        assert ask.rows(bytes(784)).status == 200

"""`chainrule distort` draws what training sees, and what the corruptions do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from chainrule.data.augment import Distorter, Distortion
from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
from chainrule.data.dataset import Dataset
from chainrule.evaluation.robustness import copies
from chainrule.experiments.job import distortion_of
from chainrule.experiments.recipes import RECIPES
from chainrule.plots import distortions


class Drawn(list[dict[str, Any]]):
    """What was given to the picture functions, in order."""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    calls = Drawn()

    def watched(draw: Callable[..., Figure]) -> Callable[..., Figure]:
        def note(images: Any, others: Any, **more: Any) -> Figure:
            calls.append({"images": images, "copies": others, **more})
            return draw(images, others, **more)

        return note

    for draw in (distortions.distorted, distortions.corrupted):
        monkeypatch.setattr(distortions, draw.__name__, watched(draw))
    return calls


def by_hand(images: np.ndarray, distortion: Distortion, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return Distorter((28, 28), distortion)(images, rng, np.empty_like(images))


def test_without_options_64_training_images_are_drawn_as_the_recipe_accurate_distorts_them(
    chainrule, few, drawn
) -> None:
    done = chainrule("distort", "--data", few)
    assert (done.code, done.out) == (0, "samples.png\n"), done.err
    assert len(drawn[0]["images"]) == 64
    usual = distortion_of(RECIPES["accurate"])
    np.testing.assert_array_equal(drawn[0]["copies"], by_hand(drawn[0]["images"], usual, 0))
    with Image.open("samples.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 800


@pytest.fixture
def bent(monkeypatch: pytest.MonkeyPatch) -> Distortion:
    """What a recipe named `bent` does to images."""
    bent = Distortion(12.0, 0.12, 10.0, 1.0, 36.0, 5.0)
    monkeypatch.setitem(RECIPES, "bent", replace(RECIPES["fast"], **asdict(bent)))
    return bent


def test_another_recipes_own_amounts_are_drawn_and_told(chainrule, few, drawn, bent) -> None:
    assert chainrule("distort", "--data", few, "--recipe", "bent").code == 0
    np.testing.assert_array_equal(drawn[0]["copies"], by_hand(drawn[0]["images"], bent, 0))
    assert drawn[0]["remark"] == (
        "The first 64 of 599 training images. At most rotation 12 degrees, "
        "scaling 12 %, shear 10 degrees, shift 1 pixel; "
        "elastic field of alpha 36, sigma 5."
    )


def test_options_win_and_the_seed_decides(chainrule, few, drawn, bent) -> None:
    done = chainrule(
        "distort", "--data", few, "--recipe", "bent", "--rotation", 40, "--scaling", 0,
        "--shear", 0, "--shift", 2.5, "--elastic", 0, "--elastic-sigma", 6, "--seed", 7,
        "--output", "turned.PNG", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    expected = Distortion(rotation=40.0, shift=2.5, elastic_sigma=6.0)
    assert json.loads(done.out) == {
        "picture": "turned.PNG",
        "images": 64,
        "distortion": asdict(expected),
    }
    np.testing.assert_array_equal(drawn[0]["copies"], by_hand(drawn[0]["images"], expected, 7))
    assert (
        drawn[0]["remark"]
        == "The first 64 of 599 training images. At most rotation 40 degrees, shift 2.5 pixels."
    )
    assert Path("turned.PNG").is_file()


def test_bending_alone_is_told_alone(chainrule, few, drawn, bent) -> None:
    zeros = [f"--{name}=0" for name in ("rotation", "scaling", "shear", "shift")]
    assert chainrule("distort", "--data", few, "--recipe", "bent", *zeros).code == 0
    assert (
        drawn[0]["remark"]
        == "The first 64 of 599 training images. Elastic field of alpha 36, sigma 5."
    )


def test_corruptions_are_drawn_as_evaluate_measures_on_them(
    chainrule, drawn, mnist: Dataset
) -> None:
    done = chainrule("distort", "--corruptions", "--quiet")
    assert (done.code, done.out, done.err) == (0, "corruptions.png\n", "")
    images = mnist.test.images[:2]
    np.testing.assert_array_equal(drawn[0]["images"], images)
    assert list(drawn[0]["copies"]) == list(drawn[0]["remarks"]) == list(CORRUPTIONS)
    measured = mnist.test.images[:100]
    for name, spoilt in drawn[0]["copies"].items():
        for column, severity in enumerate(SEVERITIES):
            expected = copies(measured, (28, 28), name, severity)[:2]
            np.testing.assert_array_equal(spoilt[:, column], expected)
    assert Path("corruptions.png").stat().st_size > 10_000


def test_the_two_images_show_both_sides_of_each_corruption(mnist: Dataset) -> None:
    """One smaller and one larger, one thicker and one thinner, one turned to each side."""
    images = mnist.test.images[:2]
    for name in ("scale", "thickness"):
        ink = copies(images, (28, 28), name, 3).sum(axis=1) / images.sum(axis=1)
        assert ink.min() < 0.9 < 1.1 < ink.max()
    stroke = np.zeros((2, 28, 28), np.float32)
    stroke[:, 13, 4:24] = 1
    turned = copies(stroke.reshape(2, 784), (28, 28), "rotation", 5).reshape(2, 28, 28)
    left = turned[:, :, :10].sum(axis=2) @ np.arange(28) / turned[:, :, :10].sum(axis=(1, 2))
    assert min(left) < 12 < 15 < max(left)


def test_same_arguments_give_the_same_bytes(chainrule, few) -> None:
    for name in ("one.png", "two.png"):
        assert chainrule("distort", "--data", few, "--output", name).code == 0
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--output", "samples.jpg"], 2, ["--output samples.jpg", "ending in .png"]),
        (["--output", "gone/samples.png"], 2, ["gone/samples.png", "no folder gone"]),
        (["--recipe", "acurate"], 2, ["unknown recipe 'acurate'"]),
        (["--recipe", "fast"], 2, ["recipe 'fast'", "does not distort", "--rotation 12"]),
        (["--rotation", "181"], 2, ["rotation = 181.0", "0 to 180"]),
        (["--scaling", "1"], 2, ["scaling = 1.0", "0 to 0.9"]),
        (["--shift", "-1"], 2, ["shift = -1.0"]),
        (["--shift", "nan"], 2, ["shift = nan"]),
        (["--elastic-sigma", "0"], 2, ["elastic_sigma = 0.0"]),
        (["--shear", "much"], 2, ["--shear", "number"]),
        (["--seed", "-1"], 2, ["seed = -1"]),
        (["--corruptions", "--rotation", "3"], 2, ["--corruptions", "leave out"]),
        (["--corruptions", "--recipe", "fast"], 2, ["--corruptions", "leave out"]),
        (["--corruptions", "--seed", "1"], 2, ["--corruptions", "leave out"]),
        (["--data", "none.csv"], 1, ["none.csv"]),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_draws_nothing(
    arguments, code, words, chainrule, few, tmp_path
) -> None:
    data = [] if "--data" in arguments else ["--data", few]
    done = chainrule("distort", *data, *arguments)
    assert done.code == code, done.err
    assert all(word in done.err for word in words), done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("*.png"))


def test_every_amount_at_0_is_refused(chainrule, few) -> None:
    zeros = [f"--{name}=0" for name in ("rotation", "scaling", "shear", "shift", "elastic")]
    done = chainrule("distort", "--data", few, *zeros)
    assert done.code == 2
    assert "recipe 'accurate' with these options does not distort images" in done.err

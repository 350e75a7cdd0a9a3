"""Every figure of a small data set says what it is of; what is undefined or left out is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from chainrule.articles.ablations import Worth
from chainrule.articles.claims import NOT_JUDGED, Claim, verdicts
from chainrule.cli.reproduce import worth_in_words
from chainrule.plots import style


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 30 pictures of 16 x 16, bright on the left, on the right, above."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    bright = {"left": np.s_[:, :8], "right": np.s_[:, 8:], "above": np.s_[:8]}
    for name, where in bright.items():
        (folder / name).mkdir()
        for number in range(30):
            pixels = rng.integers(0, 60, (16, 16))
            pixels[where] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Name of each picture -> the text on it."""
    texts: dict[str, str] = {}
    save = style.save

    def read(figure: Figure, path: Path) -> None:
        texts[Path(path).stem] = " ".join(text.get_text() for text in figure.texts)
        save(figure, path)

    monkeypatch.setattr(style, "save", read)
    return texts


def test_each_figure_of_a_run_says_of_how_many_images_it_is(chainrule, pictures, drawn) -> None:
    done = chainrule("train", "--data", pictures, "--examples", 60, "--run", "r")
    assert (
        "50 images to train on, 10 held out for validation, 18 left out (--examples): " in done.err
    )
    report = json.loads(Path("runs/r/report.json").read_text())
    counts = {name: report[name] for name in report if name.endswith("_images")}
    assert counts == {"training_images": 50, "validation_images": 10, "test_images": 12}
    assert " % of 12 test images right" in done.out
    assert "Training on 50 images, validation on 10, seed 0." in drawn["curves"]
    assert "9 of 12 examples" in drawn["samples"]
    assert " of 12 right" in drawn["confusion"]
    chainrule("report", "r", "page.html")
    assert " % of 12 test images right, " in Path("page.html").read_text()


def test_what_is_undefined_is_not_shown_as_a_number(chainrule, pictures) -> None:
    chainrule(
        "train",
        "--data",
        pictures,
        "--optimizer",
        "sgd",
        "--learning-rate",
        1e4,
        "--run",
        "r",
        "-q",
    )
    found = json.loads(chainrule("evaluate", "r", "--json").out)
    never = [row for row in found["per_class"] if not row["predicted"]]
    assert never
    assert all(row["precision"] is None and row["recall"] == 0 for row in never)
    assert found["top_3"] is None  # of three classes: always 100 %
    assert (found["images"], found["calibration"]["images"]) == (12, 12)
    text = chainrule("evaluate", "r").out
    assert "top-3" not in text
    assert "over 15 bins of 12 test images" in text
    assert f"{found['errors']} wrong" in text


def test_a_committee_of_one_has_no_spread(chainrule, pictures) -> None:
    chainrule("train", "--data", pictures, "--run", "r", "-q")
    text = chainrule("committee", "alone", "--members", "r").out
    assert "1 member, " in text
    assert "standard deviation" not in text
    assert json.loads(Path("runs/alone/report.json").read_text())["sd_error"] is None


def test_a_gain_says_its_spread_and_with_one_seed_that_it_is_one() -> None:
    one = Worth("q", "mistake", 0.5, 0.6, seeds=1, epochs=4, sd=None)
    assert worth_in_words(one).endswith("worth +10.00 points (4 epochs, 1 seed)")
    three = Worth("q", "mistake", 0.5, 0.6, seeds=3, epochs=4, sd=0.012)
    assert worth_in_words(three).endswith(
        "worth +10.00 ± 1.20 points (4 epochs, mean and standard deviation of 3 seeds)"
    )


def test_a_verdict_says_how_many_claims_it_rests_on() -> None:
    made = [Claim("c", "1", "1", verdict) for verdict in ("exact", NOT_JUDGED, "exact")]
    assert verdicts(made) == "2 exact, 1 not judged"
    assert verdicts([]) == "none judged"

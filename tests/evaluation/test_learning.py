"""What an ending says: guessing is recognised at every door, and a good run has nothing to say."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.data.load import load
from chainrule.evaluation.assessment import beats_guessing, headline, measure
from chainrule.evaluation.learning import caveat, loss_of_guessing, shortfall
from chainrule.experiments.job import prepare, run
from chainrule.experiments.settings import Settings
from chainrule.nn.model_file import Model, load_model, save

PLAIN = Settings(layers=(784, 16, 10), optimizer="sgd", learning_rate=0.1, batch_size=50, epochs=3)


def answers(labels: list[int], predicted: list[int], K: int = 3) -> str:
    return headline(measure(np.eye(K)[predicted], np.array(labels)))


@pytest.mark.parametrize(
    ("right", "labels", "beats"),
    [
        (100, [0] * 50 + [1] * 50, True),
        (50, [0] * 50 + [1] * 50, False),  # the share itself
        (55, [0] * 50 + [1] * 50, False),  # 95 % interval 45.2 to 64.4
        (62, [0] * 50 + [1] * 50, True),  # 52.2 to 70.9
        (96, [0] * 95 + [1] * 5, False),  # 90.2 to 98.4, and always answering 0 is right on 95
        (5, [0] * 10, True),  # one class: there is nothing to guess
    ],
)
def test_an_accuracy_beats_guessing_if_its_interval_lies_above_the_commonest_class(
    right: int, labels: list[int], beats: bool
) -> None:
    assert beats_guessing(right, np.array(labels)) is beats


def test_a_headline_says_what_guessing_would_reach() -> None:
    assert answers([0, 1, 2, 2] * 10, [2] * 40).endswith(
        ", 20 wrong; not significantly better than always answering the commonest class (50.00 %)"
    )
    assert answers([0, 1, 2, 2] * 10, [0, 1, 2, 2] * 10).endswith(", 0 wrong")


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("softmax-cross-entropy", log(10)),
        ("sigmoid-cross-entropy", -log(0.1) - 9 * log(0.9)),
        ("mean-squared-error", 0.1 * 0.9),
        ("global-maximum-softmax", log(10) / 10),  # article 1 divides by N K
    ],
)
def test_the_loss_of_guessing_is_that_of_one_in_ten_for_each_class(
    loss: str, expected: float, few: Path
) -> None:
    job = prepare(replace(PLAIN, loss=loss), load(path=few))
    assert loss_of_guessing(job) == pytest.approx(expected, rel=1e-6)


def ending(settings: Settings, data: Dataset) -> str:
    job = prepare(settings, data)
    history = list(run(job))
    network = job.network.folded()
    found = measure(network.predict_proba(job.test[0]), job.test[1])
    return shortfall(job, history, found)


def test_a_good_run_has_nothing_to_say(few: Path) -> None:
    assert ending(PLAIN, load(path=few)) == ""


def test_a_loss_that_rose_is_told_with_a_lower_rate(few: Path) -> None:
    said = ending(replace(PLAIN, learning_rate=3e4), load(path=few))
    assert said.startswith("its loss on the 599 images it trained on ends at ")
    assert said.endswith(" (guessing: 2.303): try a learning rate of 3000")


def test_a_loss_that_did_not_move_is_told(few: Path) -> None:
    said = ending(replace(PLAIN, learning_rate=1e-12), load(path=few))
    assert said.endswith(
        "in its first epoch (guessing: 2.303): "
        "try another learning rate (chainrule train --find-lr) or more epochs"
    )


def test_images_known_by_heart_are_told_from_what_was_learned(few: Path) -> None:
    data = load(path=few)
    labels = np.random.default_rng(0).integers(0, 10, len(data.test.labels))
    shuffled = replace(data, test=data.test._replace(labels=labels))
    said = ending(replace(PLAIN, epochs=20), shuffled)
    assert said.endswith(
        " of the 599 images it trained on are right, so it knows these and no others: "
        "try more images, or a smaller network"
    )


def test_a_run_that_learned_nothing_says_so_at_every_door(chainrule, few: Path) -> None:
    trained = chainrule(
        "train", "--data", few, "--learning-rate", 1e4, "--layers", "784,16,10", "--optimizer",
        "sgd", "--epochs", 2, "--run", "bad",
    )  # fmt: skip
    assert trained.code == 0
    report = json.loads(Path("runs/bad/report.json").read_text())
    assert report["beats_guessing"] is False
    assert report["warning"].endswith("try a learning rate of 1000")
    assert report["warning"] in trained.out.splitlines()
    doors = {
        "evaluate bad": "out",
        "compare bad bad": "out",
        "committee both --members bad": "out",
    }
    for door in doors:
        done = chainrule(*door.split())
        assert "not significantly better than " in done.out, door
    assert "bad is not significantly better than guessing" in done.out
    assert json.loads(Path("runs/both/report.json").read_text())["beats_guessing"] is False
    for door in ("evaluate bad", "compare bad bad", "predict bad --index 0", "export bad p.html"):
        assert f"warning: bad: {report['warning']}" in chainrule(*door.split()).err, door
        assert "warning" not in chainrule(*door.split(), "-q").err, door
    chainrule("report", "bad", "page.html")
    assert report["warning"] in Path("page.html").read_text()


@pytest.mark.parametrize("ended", ["diverged", "interrupted", "stopped"])
def test_a_model_says_how_its_training_ended(ended: str, chainrule, mine: Path) -> None:
    model = load_model(mine / "model.safetensors")
    assert caveat(model.summary) == ""
    odd = Model(
        model.network, model.classes, model.shape, model.pixel_scale,
        model.summary | {"ending": ended},
    )  # fmt: skip
    save(odd, Path("odd.safetensors"))
    assert (
        "warning: odd.safetensors: its training "
        in chainrule("export", "odd.safetensors", "p.html").err
    )


def test_a_diverged_run_leaves_that_word_in_its_model(chainrule, few: Path) -> None:
    done = chainrule("train", "--data", few, "--learning-rate", 1e12, "--run", "far")
    assert done.code == 1
    assert load_model("runs/far/model.safetensors").summary["ending"] == "diverged"


def test_an_early_stop_says_after_how_many_epochs_and_whose_weights_are_left(
    chainrule, few: Path
) -> None:
    done = chainrule(
        "train", "--data", few, "--learning-rate", 30, "--optimizer", "sgd", "--epochs", 40,
        "--validation", 100, "--patience", 1, "--run", "early",
    )  # fmt: skip
    report = json.loads(Path("runs/early/report.json").read_text())
    history = [
        json.loads(line) for line in Path("runs/early/history.jsonl").read_text().splitlines()
    ]
    best = min(history, key=lambda epoch: epoch["validation_loss"])["epoch"]
    assert (report["best_epoch"], report["planned_epochs"]) == (best, 40)
    assert len(history) == best + 2
    assert (
        f"stopped early, after {best + 2} of 40 epochs: the weights are those of epoch {best}, "
        "with the lowest validation loss"
    ) in done.out


@pytest.mark.parametrize("length", [499, 500, 501, 10**6])
def test_a_warning_that_a_file_brings_is_cut(length: int) -> None:
    said = caveat({"warning": "w" * length, "ending": "diverged"}).partition("; ")[2]
    assert said == ("w" * length if length <= 500 else "w" * 497 + "...")

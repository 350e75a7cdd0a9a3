"""`chainrule compare`: the table of two networks, McNemar's test, and one plain sentence."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import scipy.stats

import chainrule as cr
from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model, load_model, save
from chainrule.nn.network import Network


@pytest.fixture
def both(chainrule, mine, few) -> tuple[str, str]:
    """The names of two runs with the same data: `mine`, and `other` of another seed."""
    options = ("--seed", 1, "--epochs", 2, "--batch-size", 50, "--no-pictures", "--quiet")
    assert chainrule("train", "--data", few, "--run", "other", *options).code == 0
    return "mine", "other"


def untrained(path: str, *, classes: tuple[str, ...] = DIGITS, side: int = 28) -> str:
    network = Network.dense([side * side, len(classes)], rng=np.random.default_rng(5))
    save(Model(network, classes=classes, shape=(side, side)), path)
    return path


def test_the_table_and_the_test_are_those_of_the_two_networks(chainrule, both, few) -> None:
    done = chainrule("compare", *both, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    test = cr.load(path=few).test
    right = [
        load_model(f"runs/{run}/model.safetensors").predict_proba(test.images).argmax(axis=1)
        == test.labels
        for run in both
    ]
    assert found["both_right"] == (right[0] & right[1]).sum()
    assert found["only_a_right"] == (right[0] & ~right[1]).sum()
    assert found["only_b_right"] == (~right[0] & right[1]).sum()
    assert found["both_wrong"] == (~right[0] & ~right[1]).sum()
    apart = found["only_a_right"] + found["only_b_right"]
    assert apart > 0
    expected = scipy.stats.binomtest(int(found["only_a_right"]), int(apart)).pvalue
    assert found["p"] == pytest.approx(expected, rel=1e-9)
    assert found["told_from_luck"] == (expected < 0.05)
    assert found["images"] == len(test.labels)
    for key, run in zip("ab", both, strict=True):
        alone = json.loads(chainrule("evaluate", run, "--json").out)
        assert found[key] == {
            "run": run,
            "accuracy": alone["accuracy"],
            "interval": alone["interval"],
            "errors": alone["errors"],
            "beats_guessing": alone["beats_guessing"],
        }


def test_the_text_says_what_the_object_says(chainrule, both) -> None:
    text = chainrule("compare", *both).out
    found = json.loads(chainrule("compare", *both, "--json").out)
    assert text.rstrip().endswith(found["verdict"])
    for words in ("mine: ", "other: ", "95 % interval", "mine right", "other wrong"):
        assert words in text


def test_a_trained_network_is_told_from_one_that_has_learned_nothing(chainrule, mine) -> None:
    nothing = untrained("nothing.safetensors")
    for order in (("mine", nothing), (nothing, "mine")):
        found = json.loads(chainrule("compare", *order, "--json").out)
        assert found["p"] < 1e-6
        assert found["told_from_luck"]
        better = abs(found["a"]["errors"] - found["b"]["errors"])
        assert found["verdict"].startswith(
            f"mine is right on {better} more images than {nothing}, which is significant "
            "at the 5 % level (McNemar's exact test: p = "
        )


def test_a_difference_of_few_images_is_not_significant(chainrule, mine, few) -> None:
    # A copy in which one class has a little more bias: it changes one to five answers.
    model = load_model(mine / "model.safetensors")
    test = cr.load(path=few).test
    for push in np.geomspace(0.01, 3, 40):
        twin = model.network.copy()
        twin.b[-1][0] += push
        wrong = [m.predict(test.images) != test.labels for m in (model.network, twin)]
        if 0 < (wrong[0] != wrong[1]).sum() <= 5 and wrong[0].sum() != wrong[1].sum():
            break
    else:
        pytest.fail("no push changes one to five answers")
    save(Model(twin, classes=DIGITS, shape=(28, 28)), "twin.safetensors")
    found = json.loads(chainrule("compare", "mine", "twin.safetensors", "--json").out)
    assert not found["told_from_luck"]
    assert "not significant at the 5 % level" in found["verdict"]


def test_a_network_does_not_differ_from_itself(chainrule, mine) -> None:
    found = json.loads(chainrule("compare", "mine", "mine", "--json").out)
    assert (found["only_a_right"], found["only_b_right"], found["p"]) == (0, 0, 1)
    assert "no difference to test" in found["verdict"]


def test_a_model_file_is_measured_on_the_other_ones_data_on_either_side(chainrule, mine) -> None:
    nothing = untrained("nothing.safetensors")
    one = json.loads(chainrule("compare", "mine", nothing, "--json").out)
    other = json.loads(chainrule("compare", nothing, "mine", "--json").out)
    assert one["images"] == other["images"] == 101
    assert (one["a"], one["b"]) == (other["b"], other["a"])


def test_runs_with_other_test_images_are_refused_and_compared_on_data_that_are_given(
    chainrule, mine, few, tmp_path
) -> None:
    rows = few.read_text().splitlines()
    (tmp_path / "half.csv").write_text("\n".join(rows[:350]) + "\n")
    options = ("--epochs", 1, "--no-pictures", "--quiet")
    chainrule("train", "--data", "half.csv", "--run", "half", *options)
    done = chainrule("compare", "mine", "half")
    assert done.code == 1
    assert "half: its test images are not those of mine" in done.err
    assert "--data" in done.err
    given = json.loads(chainrule("compare", "mine", "half", "--data", few, "--json").out)
    assert given["images"] == 101
    turned = json.loads(chainrule("compare", "half", "mine", "--data", few, "--json").out)
    assert (turned["images"], turned["a"]) == (101, given["b"] | {"run": "half"})


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ({"classes": tuple("abc")}, 2, "mine has 10 classes, twin.safetensors 3"),
        (
            {"classes": tuple("012345689x")},
            2,
            "mine has a class '7' where twin.safetensors has '8'",
        ),
        ({"side": 20}, 2, "mine has 784 pixels, twin.safetensors 400"),
    ],
)
def test_networks_that_cannot_be_compared_are_refused(
    model, code: int, words: str, chainrule, mine
) -> None:
    done = chainrule("compare", "mine", untrained("twin.safetensors", **model))
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["mine"], 2, "run_b"),
        (["mine", "none"], 2, "no run and no model file 'none'"),
        (["none", "mine"], 2, "no run and no model file 'none'"),
        (["mine", "text.txt"], 1, "text.txt"),
        (["mine", "mine", "--data", "text.txt"], 1, "text.txt"),
        (["mine", "mine", "--data", "gone.csv"], 1, "gone.csv"),
        (["mine", "spoiled"], 2, "spoiled/config.toml: [checksums] is 5, not a table"),
        (["mine", "foreign"], 1, "foreign: its test images are not those of mine"),
        (["foreign", "mine"], 1, "the checksums differ"),
        (["mine", "broken"], 2, "not TOML"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    arguments: list[str], code: int, words: str, chainrule, mine, tmp_path
) -> None:
    (tmp_path / "text.txt").write_text("nothing to see")
    foreign = re.sub(r'test_images = "..', 'test_images = "00', (mine / "config.toml").read_text())
    for name, config in (
        ("spoiled", "checksums = 5\n"), ("foreign", foreign), ("broken", "= ["),
    ):  # fmt: skip
        shutil.copytree(mine, tmp_path / "runs" / name)
        (tmp_path / "runs" / name / "config.toml").write_text(config)
    done = chainrule("compare", *arguments)
    assert done.code == code, done.err
    assert words in done.err.lower() if words == "run_b" else words in done.err
    assert "Traceback" not in done.err
    assert not done.out

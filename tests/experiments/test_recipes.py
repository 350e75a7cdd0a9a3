"""Settings combine as flags over file over recipe, and a wrong one is refused in one sentence."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from chainrule.core.errors import ConfigError
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments import job as jobs
from chainrule.experiments.job import prepare, run
from chainrule.experiments.quirks import ScalarBiasGradient
from chainrule.experiments.recipes import RECIPES, combine
from chainrule.experiments.settings import Settings, as_toml, read_toml
from chainrule.optim.schedules import Cosine, WarmUp


@pytest.fixture
def tiny() -> Dataset:
    """Forty images of 2 x 3 pixels in three classes, and six to test on."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Examples:
        images = np.rint(rng.random((count, 6)) * 255) / 255
        return Examples(images.astype(np.float32), np.arange(count) % 3)

    return Dataset("tiny", part(40), part(6), ("a", "b", "c"), (2, 3), "made up", {})


def test_without_anything_the_recipe_is_fast() -> None:
    assert combine() == (RECIPES["fast"], frozenset())


def test_a_list_of_layers_alone_starts_from_plain_settings() -> None:
    settings, asked_for = combine(flags={"layers": (784, 20, 10)})
    assert settings == replace(Settings(), layers=(784, 20, 10))
    assert asked_for == {"layers"}


def test_flags_win_over_the_file_and_the_file_over_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("epochs = 3\nlearning_rate = 1\n")
    settings, _ = combine("fast", file=file, flags={"epochs": 7, "seed": None})
    assert (settings.epochs, settings.learning_rate) == (7, 1.0)
    assert settings.layers == RECIPES["fast"].layers


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_written_as_toml_reads_back_as_itself(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(as_toml(RECIPES[name]) + "\n[environment]\nnumpy = '2'\n")
    assert set(read_toml(file)) == {field.name for field in fields(Settings)}
    settings, asked_for = combine(file=file)
    assert settings == RECIPES[name]
    assert asked_for == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("epochs = 'many'", ["epochs", "'many'", "int"]),
        ("epochs = true", ["epochs", "True", "int"]),
        ("epochs = 0", ["epochs", "0", "from 1"]),
        ("learning_rate = -1.0", ["learning_rate", "-1.0", "from"]),
        ("learning_rate = nan", ["learning_rate", "nan", "from"]),
        ("optimiser = 'adam'", ["optimiser", "optimizer"]),
        ("optimizer = 'adm'", ["optimizer", "'adm'", "adamw"]),
        ("activation = ['relu', 'rleu']", ["activation", "'rleu'", "relu"]),
        ("layers = [784, 0, 10]", ["layers", "0", "from 1"]),
        ("layers = [784]", ["layers [784]", "inputs and classes"]),
        ("layers = [784, 9, 9, 10]\nactivation = ['relu', 'relu', 'relu']", ["3 activations", "2"]),
        ("settings = 3", ["[settings]"]),
        ("epochs = ", ["not TOML"]),
        ("data = {}", ["unknown setting 'data'"]),
    ],
)
def test_a_wrong_file_is_refused_naming_value_rule_and_remedy(
    content: str, words: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        combine(file=file)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_missing_file_and_an_unknown_recipe_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        combine(file=tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="unknown recipe 'quick': choose one of fast"):
        combine("quick")


def test_a_recipe_follows_the_data_and_a_list_of_layers_must_fit_them(tiny: Dataset) -> None:
    assert prepare(RECIPES["fast"], tiny).network.widths == [6, 256, 128, 3]
    with pytest.raises(
        ConfigError, match=r"layers \[784, 5, 10\]: tiny has 6 pixels .* \[6, 5, 3\]"
    ):
        prepare(Settings(layers=(784, 5, 10)), tiny, asked_for=frozenset({"layers"}))


def test_a_recipe_holds_out_a_sixth_at_most_of_few_examples(tiny: Dataset) -> None:
    settings, asked_for = combine("fast")
    assert prepare(settings, tiny, asked_for=asked_for).settings.validation == 6
    settings, asked_for = combine("fast", flags={"examples": 12})
    assert prepare(settings, tiny, asked_for=asked_for).settings.validation == 2
    settings, asked_for = combine("fast", flags={"validation": 20})
    assert prepare(settings, tiny, asked_for=asked_for).settings.validation == 20


def test_in_order_validation_takes_the_last_examples_and_never_all(tiny: Dataset) -> None:
    in_order = Settings(validation=10, split="in-order")
    job = prepare(in_order, tiny, asked_for=frozenset({"validation"}))
    assert job.validation is not None
    np.testing.assert_array_equal(job.train[0], tiny.train.images[:30])
    np.testing.assert_array_equal(job.validation[0], tiny.train.images[30:])
    with pytest.raises(ConfigError, match="validation 40 of 40 training examples"):
        prepare(Settings(validation=40), tiny, asked_for=frozenset({"validation"}))


def test_one_seed_gives_one_result_and_another_seed_another(tiny: Dataset) -> None:
    def trained(seed: int) -> bytes:
        job = prepare(Settings(layers=(6, 8, 3), epochs=2, batch_size=7, seed=seed), tiny)
        for _ in run(job):
            pass
        return job.network.parameters.tobytes()

    assert trained(1) == trained(1) != trained(2)


def test_the_order_does_not_touch_the_first_weights(tiny: Dataset) -> None:
    shuffled, in_order = (prepare(Settings(shuffle=s), tiny) for s in (True, False))
    np.testing.assert_array_equal(shuffled.network.parameters, in_order.network.parameters)
    assert shuffled.order is not None
    assert in_order.order is None


@pytest.mark.parametrize("divisor", [1, 255, 256])
def test_pixels_are_the_bytes_over_the_divisor(divisor: int, tiny: Dataset) -> None:
    inputs = jobs.inputs(tiny.train.images, Settings(pixel_divisor=divisor, dtype="float64"))
    whole = inputs * divisor
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-10)
    np.testing.assert_allclose(inputs * divisor / 255, tiny.train.images, atol=1e-7)


def test_warm_up_comes_before_the_schedule(tiny: Dataset) -> None:
    settings = Settings(schedule="cosine", warm_up=2.0, epochs=5, batch_size=10, learning_rate=0.5)
    schedule = prepare(settings, tiny).schedule
    assert isinstance(schedule, WarmUp)
    assert isinstance(schedule.then, Cosine)
    assert schedule.warm_up == 8
    assert schedule(7) == schedule(8) == 0.5
    assert schedule(19) < 0.02


def test_weight_decay_reaches_the_weights_only(tiny: Dataset) -> None:
    job = prepare(Settings(optimizer="adamw", weight_decay=0.5), tiny)
    job.network.parameters[...] = 1
    job.optimizer.step(job.network.parameters, np.zeros_like(job.network.parameters), 0.1)
    assert np.allclose(job.network.W[0], 0.95)
    assert np.allclose(job.network.b[0], 1.0)


def test_article_4s_mistake_gives_each_bias_of_a_layer_the_same_step(tiny: Dataset) -> None:
    job = prepare(replace(RECIPES["sigmoid-72-36"], examples=0, epochs=3), tiny)
    assert isinstance(job.optimizer, ScalarBiasGradient)
    before = [b.copy() for b in job.network.b]
    for _ in run(job):
        pass
    moves = [b - old for b, old in zip(job.network.b, before, strict=True)]
    assert all(np.ptp(move) < 1e-12 for move in moves)
    assert abs(moves[0][0]) > 1e-6
    assert abs(moves[-1][0]) < 1e-12, "the output's biases never learn"

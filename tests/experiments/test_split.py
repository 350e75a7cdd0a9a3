"""Which examples are trained on and which held out: by class and seed, or in the file's order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.errors import ConfigError
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.job import Job, prepare
from chainrule.experiments.recipes import RECIPES
from chainrule.experiments.settings import Settings
from chainrule.experiments.split import by_class, remarks, split


def sorted_data(*sizes: int, published: bool = False) -> Dataset:
    """A sorted data set: so many examples of each class; each image is the number of its row."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = np.arange(len(labels), dtype=np.float32)[:, None] / 1000
    names = tuple("abcdefgh"[: len(sizes)])
    part = Examples(images, labels)
    return Dataset("own", part, part, names, (1, 1), "own.csv", {}, published)


def asked(settings: Settings, data: Dataset) -> Job:
    """The job of settings that are taken as they are."""
    return prepare(settings, data, asked_for=frozenset({"validation"}))


def rows(images: np.ndarray) -> list[int]:
    """The rows that these images came from."""
    return np.rint(images[:, 0] * 1000).astype(int).tolist()


def test_a_sorted_set_holds_out_each_class_in_its_share() -> None:
    job = asked(Settings(validation=20), sorted_data(30, 60, 110))
    assert np.bincount(job.validation[1]).tolist() == [3, 6, 11]
    assert np.bincount(job.train[1]).tolist() == [27, 54, 99]
    assert sorted(rows(job.train[0]) + rows(job.validation[0])) == list(range(200))
    assert job.settings.split == "stratified"


def test_few_examples_of_a_sorted_set_are_of_all_classes() -> None:
    job = prepare(Settings(examples=20), sorted_data(30, 60, 110))
    assert np.bincount(job.train[1]).tolist() == [3, 6, 11]
    whole = asked(Settings(examples=50, validation=10), sorted_data(100, 100))
    assert np.bincount(whole.train[1]).tolist() == [20, 20]
    assert np.bincount(whole.validation[1]).tolist() == [5, 5]
    assert not set(rows(whole.train[0])) & set(rows(whole.validation[0]))


def test_the_draw_is_the_seeds_and_nothing_elses() -> None:
    data, plain = sorted_data(50, 50), Settings(validation=20)
    held = [
        rows(prepare(settings, data).validation[0])
        for settings in (
            plain, replace(plain, layers=(1, 9, 9, 2), shuffle=False), replace(plain, seed=1)
        )
    ]  # fmt: skip
    assert held[0] == held[1] != held[2]
    first, second = prepare(plain, data), prepare(Settings(), data)
    np.testing.assert_array_equal(first.network.parameters, second.network.parameters)


def test_published_data_keep_their_order_and_so_does_whoever_asks_for_it() -> None:
    for data, settings in (
        (sorted_data(10, 10, published=True), Settings(validation=4, examples=15)),
        (sorted_data(10, 10), Settings(validation=4, examples=15, split="in-order")),
    ):
        job = asked(settings, data)
        assert rows(job.train[0]) == list(range(11))
        assert rows(job.validation[0]) == list(range(11, 15))
        assert job.settings.split == "in-order"
    job = asked(Settings(validation=4, split="stratified"), sorted_data(10, 10, published=True))
    assert np.bincount(job.validation[1]).tolist() == [2, 2]


@pytest.mark.parametrize("recipe", ["relu-45", "sigmoid-72-36", "fast"])
def test_recipes_on_mnist_use_its_first_examples_and_hold_out_the_last(recipe, mnist) -> None:
    job = prepare(RECIPES[recipe], mnist)
    first = RECIPES[recipe].examples or 60_000
    held_out = RECIPES[recipe].validation
    np.testing.assert_array_equal(job.train[1], mnist.train.labels[: first - held_out])
    if held_out:
        np.testing.assert_array_equal(job.validation[1], mnist.train.labels[-held_out:])


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    share=st.floats(0, 1),
    spare=st.integers(0, 1),
    seed=st.integers(0, 9),
)
def test_shares_are_proportional_to_one_example(sizes, share, spare, seed) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    count = round(share * (len(labels) - 1))
    drawn = by_class(labels, count, np.random.default_rng(seed), spare=spare)
    assert np.count_nonzero(drawn) == count
    shares = np.bincount(labels[drawn], minlength=len(sizes))
    givers = np.count_nonzero(np.array(sizes) > spare)
    if count <= sum(sizes) - spare * len(sizes):
        assert (np.array(sizes) - shares >= spare).all()
    if givers <= count <= sum(sizes) - spare * len(sizes):
        assert np.count_nonzero(shares) == givers
    if min(sizes) >= 4 and count >= sum(sizes) / min(sizes) and share < 0.5:
        assert (np.abs(shares - count * np.array(sizes) / sum(sizes)) < 2).all()


def test_a_class_with_one_example_is_trained_on_and_its_absence_told() -> None:
    job = asked(Settings(validation=5), sorted_data(1, 20, 20))
    assert 0 in job.train[1]
    assert job.remarks == (
        "warning: class a is not among the 5 examples held out for validation; ask for more of "
        "them (--examples, --validation), or bring more of that class",
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(examples=2), "class"),
        (Settings(validation=2), "class"),
        (Settings(validation=5, split="in-order"), "each of the classes a, b is not among the 5"),
        (Settings(examples=5, split="in-order"), "each of the classes b, c is not among the 5"),
    ],
)
def test_fewer_than_there_are_classes_are_told(settings: Settings, words: str) -> None:
    said = asked(settings, sorted_data(9, 9, 9)).remarks
    assert len(said) == 1
    assert words in said[0]


def test_nothing_is_said_where_every_class_is_there() -> None:
    assert asked(Settings(validation=6, examples=20), sorted_data(9, 9, 9)).remarks == ()
    labels = sorted_data(5, 5).train.labels
    whole = split(labels, {"examples": 0, "validation": 0, "split": "stratified", "seed": 0})
    assert remarks(whole, labels, ("a", "b")) == []


def test_settings_of_an_earlier_version_mean_the_order_of_the_file() -> None:
    labels = sorted_data(5, 5).train.labels
    found = split(labels, {"examples": 0, "validation": 3, "seed": 7})
    assert (found.train, found.validation) == (slice(0, 7), slice(7, 10))


def test_nothing_left_to_train_on_is_refused() -> None:
    with pytest.raises(ConfigError, match="validation 8 of 8 training examples"):
        asked(Settings(validation=8, examples=8), sorted_data(9, 9))

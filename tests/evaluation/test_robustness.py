"""`evaluate --corrupted` measures each corrupted copy, the same ones for every network."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics

import chainrule as cr
from chainrule.cli.evaluate import print_corrupted
from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
from chainrule.data.dataset import Dataset, Examples
from chainrule.evaluation.robustness import Robustness, copies, corrupted
from chainrule.nn.model_file import Model, load_model
from chainrule.nn.network import Dense, Network


@pytest.fixture(scope="module")
def dataset(few) -> Dataset:
    return cr.load(path=few)


@pytest.fixture(scope="module")
def model(trained) -> Model:
    return load_model(trained / "mine" / "model.safetensors")


@pytest.fixture(scope="module")
def found(model: Model, dataset: Dataset) -> Robustness:
    return corrupted(model, dataset)


def test_each_figure_is_the_accuracy_on_its_copies(
    found: Robustness, model: Model, dataset: Dataset
) -> None:
    images, labels = dataset.test

    def accuracy(seen: np.ndarray) -> float:
        return float(
            sklearn.metrics.accuracy_score(labels, model.predict_proba(seen).argmax(axis=1))
        )

    assert found.images == len(labels) == 101
    assert found.clean == accuracy(images)
    assert list(found.accuracy) == list(CORRUPTIONS)
    for name, row in found.accuracy.items():
        for severity, share in zip(SEVERITIES, row, strict=True):
            spoilt = CORRUPTIONS[name](images, (28, 28), severity, np.random.default_rng(0))
            assert share == accuracy(spoilt), (name, severity)


def test_strong_corruptions_cost_accuracy_and_the_means_are_means(found: Robustness) -> None:
    assert found.overall < found.clean - 0.1
    assert all(row[-1] < row[0] + 0.05 for row in found.accuracy.values())
    assert found.mean("shift") == pytest.approx(sum(found.accuracy["shift"]) / 5)
    every = [share for row in found.accuracy.values() for share in row]
    assert found.overall == pytest.approx(sum(every) / 40)


def test_the_copies_are_the_same_for_everybody(
    found: Robustness, dataset: Dataset, model: Model
) -> None:
    images = dataset.test.images
    for name in CORRUPTIONS:
        np.testing.assert_array_equal(
            copies(images, (28, 28), name, 3), copies(images, (28, 28), name, 3)
        )
    assert corrupted(model, dataset) == found


def test_pixels_are_scaled_as_the_model_wants_them(
    found: Robustness, model: Model, dataset: Dataset
) -> None:
    network = Network(list(model.members[0].layers), np.float32)
    network.parameters[...] = model.members[0].parameters
    network.W[0][...] /= 256
    assert corrupted(Model(network, pixel_scale=256.0), dataset).clean == found.clean


def test_other_classes_and_other_shapes_are_measured_too(dataset: Dataset) -> None:
    rng = np.random.default_rng(0)
    images = rng.random((30, 6 * 9), dtype=np.float32)
    data = replace(dataset, test=Examples(images, np.arange(30) % 2), shape=(6, 9))
    network = Network.dense([54, 4, 2], rng=rng)
    found = corrupted(Model(network), data)
    assert 0 < found.overall < 1


def test_an_answer_that_is_no_number_is_wrong(dataset: Dataset) -> None:
    network = Network([Dense(784, 10, "identity")], np.float32)
    network.parameters[...] = 3e38
    found = corrupted(Model(network), dataset)
    assert found.clean == found.overall == 0


def test_the_table_shows_a_row_for_each_corruption_and_the_mean_below(
    found: Robustness, capsys: pytest.CaptureFixture[str]
) -> None:
    print_corrupted(found)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"clean: {100 * found.clean:.2f} % of 101 test images right"
    rows = {line.split()[0]: line.split() for line in lines if line.startswith("  ")}
    assert rows["corruption"] == ["corruption", "from", "1", "to", "5", *"12345", "mean"]
    for name, row in found.accuracy.items():
        assert rows[name][-6:] == [f"{100 * share:.2f}" for share in (*row, found.mean(name))]
        assert CORRUPTIONS[name].span() in " ".join(rows[name])
    assert rows["mean"] == ["mean", f"{100 * found.overall:.2f}"]
    order = [line.split()[0] for line in lines if line.startswith("  ")]
    assert order == ["corruption", *CORRUPTIONS, "mean"]


def test_json_holds_every_figure(found: Robustness) -> None:
    read = json.loads(json.dumps(found.as_json()))
    assert set(read) == {"images", "clean", "corruptions", "mean"}
    assert (read["images"], read["clean"], read["mean"]) == (101, found.clean, found.overall)
    assert list(read["corruptions"]) == list(CORRUPTIONS)
    for name, row in read["corruptions"].items():
        assert row == {"severities": list(found.accuracy[name]), "mean": found.mean(name)}

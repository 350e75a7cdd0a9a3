"""A predictor says what its network says, sooner, and for several threads at once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule.nn.predictor
from chainrule.core.arrays import Array
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.nn.predictor import ROWS, Predictor

LINKS = sorted({loss.link for loss in LOSSES.values()})
HIDDEN = [*([name] * 2 for name in ACTIVATIONS), ["sigmoid", "relu"], ["relu", "sigmoid"], []]
PRECISIONS = [(np.float64, 1e-12), (np.float32, 1e-5)]


def example(
    hidden: list[str], rows: int = 3, dtype: Any = np.float64, **settings: Any
) -> tuple[Network, Array]:
    """(a network of six inputs and four classes with biases, as many rows of X)"""
    rng = np.random.default_rng(rows)
    widths = [6, 9, 5][: len(hidden) + 1]
    network = Network.dense([*widths, 4], hidden, rng=rng, dtype=dtype, **settings)
    for b in network.b:
        b[...] = rng.normal(size=b.shape)
    return network, rng.normal(size=(rows, 6)).astype(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("rows", [1, 3, ROWS, 2 * ROWS + 77])
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("hidden", HIDDEN, ids="-".join)
def test_a_predictor_predicts_what_the_network_predicts(
    hidden: list[str], link: str, rows: int, dtype: Any, tolerance: float
) -> None:
    network, X = example(hidden, rows, dtype, link=link)
    expected = network.predict_proba(X)
    predicted = Predictor(network)(X)
    assert (predicted.shape, predicted.dtype) == ((rows, 4), dtype)
    np.testing.assert_allclose(predicted, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("output", ACTIVATIONS)
def test_whatever_the_last_layer_is_it_stays(output: str) -> None:
    network, X = example(["sigmoid"], output=output, link="sigmoid")
    np.testing.assert_allclose(
        Predictor(network)(X), network.predict_proba(X), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("link", ACTIVATIONS)
def test_any_activation_can_be_the_link(link: str, rows: int) -> None:
    network, X = example(["sigmoid"], rows, link=link)
    np.testing.assert_allclose(
        Predictor(network)(X), network.predict_proba(X), rtol=1e-12, atol=1e-12
    )


def test_saturated_neurons_are_as_good_as_any() -> None:
    network, X = example(["sigmoid", "sigmoid"], 40)
    network.W[0][...] *= 1000
    np.testing.assert_allclose(
        Predictor(network)(X), network.predict_proba(X), rtol=1e-12, atol=1e-12
    )


def test_no_rows_have_no_probabilities() -> None:
    network, X = example(["relu"], 0)
    assert Predictor(network)(X).shape == network.predict_proba(X).shape == (0, 4)


def test_making_a_predictor_leaves_the_network_alone() -> None:
    network, _ = example(["sigmoid", "sigmoid"])
    before = network.parameters.tobytes()
    Predictor(network)
    assert network.parameters.tobytes() == before


@pytest.mark.parametrize("hidden", ["sigmoid", "relu"])
def test_what_the_network_learns_later_is_not_seen(hidden: str) -> None:
    network, X = example([hidden, hidden])
    predictor = Predictor(network)
    before = predictor(X).tobytes()
    network.parameters[...] = 0
    assert predictor(X).tobytes() == before
    assert Predictor(network)(X).tobytes() != before


@pytest.mark.parametrize("hidden", HIDDEN, ids="-".join)
@pytest.mark.parametrize("rows", [3, ROWS + 1])
def test_the_inputs_are_only_read_and_each_answer_is_the_callers_own(
    hidden: list[str], rows: int
) -> None:
    network, X = example(hidden, rows)
    before = X.tobytes()
    predictor = Predictor(network)
    first = predictor(X)
    kept = first.tobytes()
    X.setflags(write=False)
    again = predictor(X)
    assert X.tobytes() == before
    assert first.tobytes() == again.tobytes() == kept
    assert not np.shares_memory(first, again)
    assert not np.shares_memory(first, X)


def test_other_numbers_are_converted_to_those_of_the_network() -> None:
    network, X = example(["tanh"], dtype=np.float32)
    predictor = Predictor(network)
    assert predictor(X.astype(np.float64)).tobytes() == predictor(X).tobytes()
    assert predictor(np.asfortranarray(X)).shape == (3, 4)


@pytest.mark.parametrize("hidden", ["sigmoid", "gelu"])
def test_two_threads_with_inputs_of_their_own_get_answers_of_their_own(hidden: str) -> None:
    network, X = example([hidden, hidden], 2 * ROWS + 9)
    predictor = Predictor(network)
    inputs = [X, X[::-1] + 1]
    expected = [predictor(rows).tobytes() for rows in inputs]
    together = threading.Barrier(2)

    def predict(number: int) -> list[bytes]:
        answers = []
        for _ in range(50):
            together.wait(60)
            answers.append(predictor(inputs[number]).tobytes())
        return answers

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(predict, range(2)))
    assert expected[0] != expected[1]
    assert [{*each} for each in answers] == [{expected[0]}, {expected[1]}]


SHAPES = [(6,), (3, 5), (3, 7), (6, 3), (2, 3, 6), ()]

REFUSED = """
import json, sys
import numpy as np
from chainrule.nn.network import Network
from chainrule.nn.predictor import Predictor

predictor = Predictor(Network.dense([6, 5, 4], rng=np.random.default_rng(0)))
messages = []
for shape in json.loads(sys.argv[1]):
    try:
        predictor(np.zeros(shape))
    except ValueError as error:
        messages.append(str(error))
print(json.dumps([messages, np.shape(predictor([[0] * 6])), "jaxtyping" in sys.modules]))
"""


def test_inputs_of_a_wrong_shape_are_refused_in_words() -> None:
    # In a process of its own: here the checks of shapes would be quicker than the sentence.
    source = Path(chainrule.nn.predictor.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", REFUSED, json.dumps(SHAPES)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(source)},
    )
    assert done.returncode == 0, done.stderr
    messages, shape, checked = json.loads(done.stdout)
    assert not checked
    assert messages == [
        f"X has shape {shape}: the network takes 6 inputs, so give (N, 6), one example a row"
        for shape in SHAPES
    ]
    assert shape == [1, 4]


def test_wrong_columns_are_refused_here_too() -> None:
    network, _ = example(["relu"])
    with pytest.raises(ValueError, match=r"X has shape \(3, 5\): the network takes 6 inputs, so"):
        Predictor(network)(np.zeros((3, 5)))

"""The browser computes what NumPy computes: the forward pass, the gradient, the decoding."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.data.dataset import DIGITS, Dataset
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.committee import Committee
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network, Workspace
from chainrule.web.bundle import files, model_as_dict
from web.conftest import ADDRESS, OpenPage

TOLERANCE = 1e-5
RUN = """async ([description, count, floats, k]) => {
    const {decodeModel, predict, inputGradient} = await import("/network.js");
    const model = decodeModel(description);
    const bytes = Uint8Array.from(atob(floats), letter => letter.charCodeAt(0));
    const pixels = new Float32Array(bytes.buffer);
    const inputs = pixels.length / count;
    return Array.from({length: count}, (_, i) => {
        const row = pixels.subarray(i * inputs, (i + 1) * inputs);
        const {probabilities, pass} = predict(model, row);
        const gradient = k === null ? [] : inputGradient(model.members[0], pass, k);
        return [Array.from(probabilities), Array.from(gradient)];
    });
}"""

InBrowser = Callable[..., tuple[Array, Array]]


@pytest.fixture
def in_browser(visit: OpenPage) -> Iterator[InBrowser]:
    """in_browser(model, rows, k) -> (probabilities (N, K), gradients of class k (N, n))."""
    page = visit(f"{ADDRESS}blank.html", given=files() | {"blank.html": b"<!doctype html>"})

    def compute(model: Model, rows: Array, k: int | None = None) -> tuple[Array, Array]:
        floats = b64encode(rows.astype("<f4").tobytes()).decode()
        pairs = page.evaluate(RUN, [model_as_dict(model, "m"), len(rows), floats, k])
        return np.array([p for p, _ in pairs]), np.array([g for _, g in pairs])

    return compute


def test_a_trained_network_says_the_same_of_a_thousand_test_images(
    in_browser: InBrowser, reader_page: dict[str, bytes], mnist: Dataset, reader: Any
) -> None:
    from chainrule.nn.model_file import load_model

    model = load_model(reader)
    images = mnist.test.images[:1000]
    probabilities, _ = in_browser(model, images)
    assert np.abs(probabilities - model.predict_proba(images)).max() < TOLERANCE
    assert json.loads(reader_page["v1/weights"])["classes"] == list(DIGITS)


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_agrees_forward_and_backward(
    in_browser: InBrowser, activation: str, link: str
) -> None:
    rng = np.random.default_rng(3)
    network = Network.dense([12, 9, 7, 4], activation, rng=rng, link=link, dtype=np.float64)
    for b in network.b:
        b[...] = rng.normal(size=b.shape)
    network = network.copy(np.float32).copy(np.float64)
    X = rng.random((5, 12)).astype(np.float32)
    model = Model(network, shape=(3, 4), pixel_scale=2.0)
    probabilities, gradients = in_browser(model, X, 2)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=TOLERANCE)
    for x, gradient in zip(X, gradients, strict=True):
        np.testing.assert_allclose(gradient, differences(network, 2.0 * x, 2), atol=TOLERANCE)


def differences(network: Network, x: Array, k: int) -> Array:
    """The gradient of output k by each input, by central differences."""
    step = 1e-6
    nudges = step * np.eye(len(x))
    workspace = Workspace(network, 2 * len(x))
    outputs = network.forward(np.concatenate([x + nudges, x - nudges]), workspace)[:, k]
    slopes: Array = (outputs[: len(x)] - outputs[len(x) :]) / (2 * step)
    return slopes


def test_a_committee_answers_by_the_mean_of_its_members(in_browser: InBrowser) -> None:
    members = [Network.dense([6, 5, 3], rng=np.random.default_rng(seed)) for seed in range(3)]
    model = Model(Committee(tuple(members)), shape=(2, 3))
    X = np.random.default_rng(9).random((4, 6)).astype(np.float32)
    probabilities, _ = in_browser(model, X)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=TOLERANCE)

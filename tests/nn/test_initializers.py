"""The first weights have the distribution that their papers ask for."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import scipy.stats

from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.network import Network

FAN_IN, FAN_OUT = 300, 200

# Standard deviations by hand for 300 -> 200; He 2015: sqrt(2/300); Glorot 2010: sqrt(2/500);
# LeCun 1998: sqrt(1/300); a uniform distribution of width w has the deviation w / sqrt(12).
DEVIATIONS = {
    "he": 0.0816496580927726,
    "glorot": 0.0632455532033676,
    "lecun": 0.0577350269189626,
    "normal": 0.1,
    "uniform": 0.0288675134594813,
}


def draw(name: str, seed: int = 3) -> np.ndarray:
    return INITIALIZERS[name](np.random.default_rng(seed), FAN_IN, FAN_OUT)


def test_each_initializer_is_tested_here() -> None:
    assert set(DEVIATIONS) | {"zeros"} == set(INITIALIZERS)


@pytest.mark.parametrize("name", ["he", "lecun", "normal"])
def test_a_normal_initializer_is_normal_with_its_deviation(name: str) -> None:
    distribution = scipy.stats.norm(0, DEVIATIONS[name])
    assert scipy.stats.kstest(draw(name).ravel(), distribution.cdf).pvalue > 0.01


@pytest.mark.parametrize("name", ["glorot", "uniform"])
def test_a_uniform_initializer_is_uniform_within_its_limits(name: str) -> None:
    limit = DEVIATIONS[name] * np.sqrt(3)
    W = draw(name).ravel()
    assert scipy.stats.kstest(W, scipy.stats.uniform(-limit, 2 * limit).cdf).pvalue > 0.01
    assert np.abs(W).max() <= limit
    assert np.abs(W).max() > 0.999 * limit


@pytest.mark.parametrize("name", DEVIATIONS)
def test_mean_and_deviation_are_the_published_ones(name: str) -> None:
    W = draw(name)
    assert abs(W.mean()) < 4 * DEVIATIONS[name] / np.sqrt(W.size)
    assert W.std() == pytest.approx(DEVIATIONS[name], rel=0.015)


@pytest.mark.parametrize(
    ("name", "theirs"), [("he", "kaiming_normal_"), ("glorot", "xavier_uniform_")]
)
def test_the_deviation_is_that_of_torch(torch: ModuleType, name: str, theirs: str) -> None:
    torch.manual_seed(0)
    # nn.Linear keeps (out, in), the fan-in is the second side.
    tensor = getattr(torch.nn.init, theirs)(
        torch.empty(FAN_OUT, FAN_IN), **({"nonlinearity": "relu"} if name == "he" else {})
    )
    assert draw(name).std() == pytest.approx(tensor.std().item(), rel=0.02)


def test_zeros_are_zero_and_draw_nothing() -> None:
    rng = np.random.default_rng(3)
    assert not INITIALIZERS["zeros"](rng, 3, 2).any()
    assert rng.random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_the_shape_is_inputs_by_units_in_float64(name: str) -> None:
    W = draw(name)
    assert W.shape == (FAN_IN, FAN_OUT)
    assert W.dtype == np.float64


@pytest.mark.parametrize("name", DEVIATIONS)
def test_one_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    assert draw(name, 3).tobytes() == draw(name, 3).tobytes()
    assert draw(name, 3).tobytes() != draw(name, 4).tobytes()


def test_an_unknown_initializer_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown initializer 'xavier': choose one of he, glorot"):
        Network.dense([4, 3, 2], rng=np.random.default_rng(0), initializer="xavier")


@pytest.mark.parametrize(("activation", "initializer"), [("relu", "he"), ("tanh", "glorot")])
def test_signals_keep_their_size_through_ten_layers(activation: str, initializer: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 128))
    network = Network.dense(
        [128] * 11, activation, rng=rng, dtype=np.float64, initializer=initializer, link="identity"
    )
    assert 0.1 < network.predict_proba(X).std() < 10
    small = Network.dense(
        [128] * 11, activation, rng=rng, dtype=np.float64, initializer="uniform", link="identity"
    )
    assert small.predict_proba(X).std() < 0.01

"""Layers, and where each has its numbers: aligned views that cover two flat vectors once."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array, aligned_zeros
from chainrule.nn.dense import Dense, stack
from chainrule.nn.parameters import Layout

WIDTHS = [7, 5, 33, 4, 3]
NORMALIZED = {
    "none": [False] * 4,
    "hidden": [True, True, True, False],
    "the second": [False, True, False, False],
    "all": [True] * 4,
}


def layout(normalized: list[bool], dtype: Any) -> tuple[Layout, Array, Array]:
    """(the layout of 7 -> 5 -> 33 -> 4 -> 3, its parameters, its statistics, all zero)"""
    ends = zip(WIDTHS[:-1], WIDTHS[1:], normalized, strict=True)
    of = Layout([Dense(n, m, batch_norm=batch_norm) for n, m, batch_norm in ends], dtype)
    return of, aligned_zeros(of.learned, dtype), aligned_zeros(of.measured, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("normalized", NORMALIZED)
def test_every_view_is_aligned_and_no_two_share_a_number(normalized: str, dtype: Any) -> None:
    of, parameters, statistics = layout(NORMALIZED[normalized], dtype)
    groups = (*of.parameters(parameters), *of.statistics(statistics))
    for flat, views in (
        (parameters, [view for group in groups[:3] for view in group]),
        (statistics, [view for group in groups[3:] for view in group]),
    ):
        for number, view in enumerate(views, 1):
            assert np.shares_memory(view, flat) or not view.size
            assert view.ctypes.data % 64 == 0 or not view.size
            view[...] = number
        counts = [np.count_nonzero(flat == number) for number in range(1, len(views) + 1)]
        assert counts == [view.size for view in views]


@pytest.mark.parametrize("normalized", NORMALIZED)
def test_the_views_have_the_shapes_of_the_equations(normalized: str) -> None:
    of, parameters, statistics = layout(NORMALIZED[normalized], np.float32)
    W, b, gamma = of.parameters(parameters)
    mean, variance = of.statistics(statistics)
    assert [each.shape for each in W] == [(7, 5), (5, 33), (33, 4), (4, 3)]
    assert [each.shape for each in b] == [(5,), (33,), (4,), (3,)]
    ends = zip(WIDTHS[1:], NORMALIZED[normalized], strict=True)
    expected = [(units * batch_norm,) for units, batch_norm in ends]
    for views in (gamma, mean, variance):
        assert [each.shape for each in views] == expected


@pytest.mark.parametrize("normalized", NORMALIZED)
def test_weights_come_first_then_biases_then_gammas_and_means_before_variances(
    normalized: str,
) -> None:
    of, parameters, statistics = layout(NORMALIZED[normalized], np.float64)
    for number, views in enumerate(of.parameters(parameters), 1):
        for view in views:
            view[...] = number
    filled = parameters[parameters > 0]
    assert (np.diff(filled) >= 0).all()
    assert (parameters[: of.weights_end] <= 1).all()
    assert (parameters[of.weights_end :] != 1).all()
    for number, views in enumerate(of.statistics(statistics), 1):
        for view in views:
            view[...] = number
    half = of.measured // 2
    assert (statistics[:half] != 2).all()
    assert (statistics[half:] != 1).all()


def test_a_network_without_batch_normalisation_measures_nothing() -> None:
    of, parameters, statistics = layout(NORMALIZED["none"], np.float32)
    assert of.measured == 0
    # 35, 165, 132 and 12 weights, 5, 33, 4 and 3 biases, each rounded up to 16.
    assert of.weights_end == 48 + 176 + 144 + 16
    assert of.learned == of.weights_end + 16 + 48 + 16 + 16
    assert [each.size for each in of.parameters(parameters)[2]] == [0] * 4
    assert [each.size for views in of.statistics(statistics) for each in views] == [0] * 8


def test_what_a_step_disturbs_is_known_of_each_layer() -> None:
    assert not Dense(3, 2).stochastic
    assert not Dense(3, 2, batch_norm=True).stochastic
    assert Dense(3, 2, dropout=0.1).stochastic
    assert Dense(3, 2, noise=0.1).stochastic


def test_hidden_layers_are_normalised_and_disturbances_stand_before_the_layer_they_reach() -> None:
    layers = stack(
        [9, 8, 7, 6],
        ["relu", "tanh"],
        output="sigmoid",
        batch_norm=True,
        dropout=0.5,
        input_dropout=0.2,
        noise=0.1,
        input_noise=0.3,
    )
    assert layers == [
        Dense(9, 8, "relu", batch_norm=True, dropout=0.2, noise=0.3),
        Dense(8, 7, "tanh", batch_norm=True, dropout=0.5, noise=0.1),
        Dense(7, 6, "sigmoid", batch_norm=False, dropout=0.5, noise=0.1),
    ]


def test_a_network_without_hidden_layers_has_inputs_to_disturb_and_nothing_to_normalise() -> None:
    layers = stack([9, 6], batch_norm=True, dropout=0.5, noise=0.1, input_dropout=0.2)
    assert layers == [Dense(9, 6, dropout=0.2)]


def test_nothing_is_normalised_or_disturbed_unless_asked_for() -> None:
    assert stack([4, 3, 2]) == [Dense(4, 3, "relu"), Dense(3, 2)]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Dense(3, 2, dropout=1.0), "dropout 1.0 is a share from 0 to below 1"),
        (lambda: Dense(3, 2, dropout=-0.1), "3 -> 2 identity: dropout -0.1 is a share"),
        (lambda: Dense(3, 2, dropout=nan), "dropout nan is a share"),
        (lambda: Dense(3, 2, noise=-1.0), "noise -1.0 a standard deviation from 0 up"),
        (lambda: Dense(3, 2, noise=inf), "noise inf a standard deviation"),
        (lambda: Dense(3, 2, noise=nan), "noise nan a standard deviation"),
        (lambda: stack([4, 3, 2], dropout=1.5), "3 -> 2 identity: dropout 1.5"),
        (lambda: stack([4, 3, 2], input_noise=-0.5), "4 -> 3 relu: .* noise -0.5"),
        (lambda: Layout([], np.float32), "at least one layer"),
        (lambda: Layout([Dense(4, 3), Dense(2, 1)], np.float32), "layer 2 takes 2 inputs"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()

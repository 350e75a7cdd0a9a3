"""Whole runs: a rate far too high is stopped in time, and one seed gives one network."""

from __future__ import annotations

import hashlib
import os
from inspect import getsource
from typing import Any

import numpy as np
import pytest

import chainrule.training.microbatches
from chainrule.core.arrays import Array
from chainrule.core.errors import DivergenceError
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.optim.schedules import Schedule
from chainrule.training.compiled import KINDS
from chainrule.training.evaluate import evaluate
from chainrule.training.train import train
from conftest import oracle
from helpers.processes import answer

GOOD_RATES = {
    "sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 1e-3, "adam": 1e-3, "adamw": 1e-3,
}  # fmt: skip
HIDDEN = ["identity", "sigmoid", "tanh", "relu", "leaky-relu", "elu", "gelu", "silu"]
PIXELS = {"usual": 1.0, "never scaled": 255.0, "all zero": 0.0}


def problem(hidden: str, largest: float) -> tuple[Network, tuple[Array, Array]]:
    """(a float32 network 8 -> 16 -> 16 -> 3, 60 examples with pixels in 0..largest)"""
    rng = np.random.default_rng(1)
    network = Network.dense([8, 16, 16, 3], hidden, rng=rng)
    return network, (largest * rng.random((60, 8), np.float32), rng.integers(0, 3, 60))


def wild(
    hidden: str, optimizer: str, largest: float, *, times: float, compiled: bool = False
) -> DivergenceError | None:
    """Trains at so many times a good rate, watched before each step; the error, if it came to one.

    Asserts that nothing that is not a finite number outlives a step, or the training.
    """
    network, examples = problem(hidden, largest)
    memory = OPTIMIZERS[optimizer](
        network.parameters.size, network.dtype, decayed=network.layout.weights_end
    )
    finite: list[bool] = []

    def watch() -> bool:
        finite.append(bool(np.isfinite(network.parameters).all()))
        return False

    error, losses = None, []
    try:
        for epoch in train(
            network, examples, rng=None, epochs=5, batch_size=20, optimizer=memory,
            learning_rate=Schedule(times * GOOD_RATES[optimizer]), stop=watch, compiled=compiled,
        ):  # fmt: skip
            losses.append(epoch.loss)
    except DivergenceError as caught:
        error = caught
    # What is asked before step k is what step k - 1 left. Step k itself must not be taken.
    first = finite.index(False) if False in finite else None
    assert first is None or (error is not None and error.step == first)
    assert np.isfinite(network.parameters).all()
    assert np.isfinite(losses).all()
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isfinite(evaluate(network, examples)[0])
    return error


@pytest.mark.parametrize("pixels", PIXELS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_rate_a_thousand_times_too_high_is_stopped_within_a_step_of_the_first_bad_number(
    hidden: str, pixels: str
) -> None:
    for optimizer in GOOD_RATES:
        error = wild(hidden, optimizer, PIXELS[pixels], times=1000)
        if error is not None:
            assert error.learning_rate == pytest.approx(100 * GOOD_RATES[optimizer])
            assert f"try a learning rate of {error.learning_rate:g}" in str(error)


def test_at_such_rates_it_does_come_to_that() -> None:
    stopped = {
        (hidden, optimizer)
        for hidden in ("identity", "leaky-relu", "elu")
        for optimizer in GOOD_RATES
        if wild(hidden, optimizer, 255.0, times=1000)
    }
    assert {optimizer for _, optimizer in stopped} >= {"sgd", "momentum", "nesterov"}
    assert len(stopped) >= 6


@pytest.mark.parametrize("hidden", KINDS[1:])
def test_so_it_is_in_machine_code(hidden: str) -> None:
    oracle("numba")
    for largest in PIXELS.values():
        wild(hidden, "sgd", largest, times=1000, compiled=True)
        wild(hidden, "sgd", largest, times=1e30, compiled=True)


@pytest.mark.parametrize("optimizer", GOOD_RATES)
@pytest.mark.parametrize("times", [1e6, 1e37])
def test_and_at_rates_beyond_all_reason(times: float, optimizer: str) -> None:
    for hidden in ("relu", "tanh"):
        for largest in (1.0, 0.0):
            wild(hidden, optimizer, largest, times=times)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_what_the_optimizer_remembers_is_watched_too(optimizer: str) -> None:
    # Squares of such gradients are infinite in float32: each step divided by them is 0, so the
    # weights would stand still for good while everything one sees is finite.
    network, (images, labels) = problem("silu", 1.0)
    images *= np.float32(1e25)
    before = network.parameters.tobytes()
    with pytest.raises(DivergenceError, match="what the optimizer remembers became infinite") as e:
        list(train(network, (images, labels), rng=None, optimizer=optimizer, epochs=3))
    assert e.value.step <= 1
    assert network.parameters.tobytes() == before
    assert "scale the inputs" in str(e.value)


def one_run(optimizer: str, compiled: bool) -> str:
    """The SHA-256 of the weights after two epochs from seed 7."""
    rng = np.random.default_rng(7)
    X, y = rng.random((200, 40), np.float32), rng.integers(0, 10, 200)
    network = Network.dense([40, 32, 10], rng=rng)
    settings: Any = {"epochs": 2, "batch_size": 40, "optimizer": optimizer, "threads": 2}
    for _ in train(network, (X, y), rng=rng, compiled=compiled, validation=(X, y), **settings):
        pass
    return hashlib.sha256(network.parameters.tobytes()).hexdigest()


SERIAL = f"""
from __future__ import annotations
import hashlib, json
from typing import Any
import numpy as np
import chainrule.training.microbatches
from chainrule.nn.network import Network
from chainrule.training.train import train
chainrule.training.microbatches.WORK_PER_CORE = 1
{getsource(one_run)}
"""


@pytest.mark.parametrize(
    ("optimizer", "compiled"), [("adam", False), ("momentum", False), ("sgd", True)]
)
def test_twenty_runs_with_one_seed_have_one_hash_here_and_in_other_processes(
    optimizer: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled:
        oracle("numba")
    monkeypatch.setattr(
        chainrule.training.microbatches, "WORK_PER_CORE", 1
    )  # so that two threads take part
    hashes = [one_run(optimizer, compiled) for _ in range(17)]
    # Each process has its own addresses, and its own order of sets.
    blas = {k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS", "OMP"))}
    code = f"{SERIAL}\nprint(json.dumps(one_run({optimizer!r}, {compiled})))"
    hashes += [answer(code, PYTHONHASHSEED=str(seed), **blas) for seed in range(3)]
    assert len(hashes) == 20
    assert len({*hashes}) == 1

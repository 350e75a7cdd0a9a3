"""Adam's update in machine code goes where torch's goes, and where NumPy's goes."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import chainrule.optim.optimizers as module
from chainrule.core.threads import ThreadTeam
from chainrule.nn.network import Network
from chainrule.optim.optimizers import CHUNK, FLUSH_EVERY, OPTIMIZERS, Adam
from chainrule.training.train import train
from conftest import oracle
from optim.test_optimizers import PRECISIONS, SIZES, TORCH, start, torch_walk


@pytest.fixture(autouse=True)
def _numba(request: pytest.FixtureRequest) -> None:
    if "without" not in request.node.name:
        oracle("numba")


def compiled(name: str, size: int, dtype: Any) -> Adam:
    optimizer = OPTIMIZERS[name](size, dtype)
    assert isinstance(optimizer, Adam)
    optimizer.compile()
    return optimizer


@pytest.mark.parametrize("steps", [12, 2 * FLUSH_EVERY + 5])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_it_ends_where_torchs_does(
    torch: ModuleType, name: str, size: int, dtype: Any, tolerance: float, steps: int
) -> None:
    parameters, gradients = start(size, dtype, steps)
    optimizer = compiled(name, size, dtype)
    for gradient in gradients:
        optimizer.step(parameters, gradient, 0.01)
    theirs = torch_walk(torch, TORCH[name], size, dtype, steps)
    np.testing.assert_allclose(parameters, theirs, rtol=tolerance, atol=tolerance)
    assert parameters.dtype == dtype


def test_a_team_comes_to_the_same_bits_as_one_worker() -> None:
    size, ends = 2 * CHUNK + 1001, []
    for workers in (1, 2, 3):
        parameters, gradients = start(size, np.float32)
        optimizer = compiled("adam", size, np.float32)
        with ThreadTeam(workers) as team:
            for gradient in gradients:
                optimizer.step(parameters, gradient, 0.01, team)
        ends.append(parameters.tobytes())
    assert ends[0] == ends[1] == ends[2]


def test_a_run_may_change_from_numpy_to_machine_code_between_steps() -> None:
    parameters, gradients = start(1001, np.float64)
    wanted, other = parameters.copy(), Adam(1001, np.float64)
    optimizer = Adam(1001, np.float64)
    for number, gradient in enumerate(gradients):
        if number == 6:
            optimizer.compile()
        optimizer.step(parameters, gradient, 0.01)
        other.step(wanted, gradient, 0.01)
    np.testing.assert_allclose(parameters, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_uses_it(monkeypatch: pytest.MonkeyPatch, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 20)).astype(dtype)
    y = rng.integers(0, 3, 90)
    network = Network.dense([20, 30, 3], rng=rng, dtype=dtype)
    twins = network.copy(), network.copy()
    calls = []
    loop = module._adam_loop()
    monkeypatch.setattr(module, "_adam_loop", lambda: lambda *a: calls.append(len(a)) or loop(*a))
    for twin, wanted in zip(twins, (False, True), strict=True):
        options = {"epochs": 3, "batch_size": 30, "l2": 1e-3, "max_norm": 1.0}
        list(train(twin, (X, y), rng=np.random.default_rng(1), compiled=wanted, **options))
        assert len(calls) == (9 if wanted else 0), "one chunk, nine steps"
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(
        twins[0].parameters, twins[1].parameters, rtol=tolerance, atol=tolerance
    )
    assert not np.allclose(twins[0].parameters, network.parameters, atol=1e-3)


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(module, "_adam_loop", module._adam_loop.__wrapped__)
    with pytest.raises(ImportError, match=r"pip install 'chainrule\[compiled\]'"):
        Adam(3).compile()

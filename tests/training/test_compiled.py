"""The compiled step takes the same steps as NumPy's, which are compared with torch elsewhere."""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

import numpy as np
import pytest

import chainrule.training.compiled as module
from chainrule.core.arrays import Array
from chainrule.core.jit import machine_code
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS, SGD, Optimizer
from chainrule.training.compiled import CROSS_ENTROPIES as LOSSES
from chainrule.training.compiled import KINDS, CompiledSGD, objection
from chainrule.training.train import train
from conftest import oracle
from helpers.processes import answer

PARTS = {
    name: getattr(part, "py_func", part)
    for name, part in vars(module).items()
    if name in {"_step", "_forward", "_activate", "_measure", "_backward"}
}
"""The functions as Python has them."""

WIDTHS = [[13, 3], [13, 9, 3], [13, 9, 6, 3], [13, 9, 6, 5, 3]]


@pytest.fixture(autouse=True)
def _numba(request: pytest.FixtureRequest) -> None:
    if "without" not in request.node.name:
        oracle("numba")


def problem(
    hidden: str | list[str] = "tanh",
    *,
    widths: list[int] = WIDTHS[2],
    dtype: Any = np.float64,
    dense: bool = False,
    rows: int = 39,
) -> tuple[Network, Array, Array]:
    """A network and 39 examples; 70 % of the inputs are zero unless `dense`."""
    rng = np.random.default_rng(3)
    network = Network.dense(widths, hidden, rng=rng, dtype=dtype)
    X = rng.standard_normal((rows, widths[0]))
    X[rng.random(X.shape) > (1.0 if dense else 0.3)] = 0
    return network, X.astype(dtype), rng.integers(0, widths[-1], rows).astype(np.uint8)


def both(
    network: Network,
    X: Array,
    y: Array,
    *,
    loss: str = LOSSES[0],
    label_smoothing: float = 0.0,
    rate: float = 0.2,
    epochs: int = 8,
) -> tuple[Network, list[float], Network, list[float]]:
    """(NumPy's network, its epoch losses, the compiled step's, its), in batches of 10."""
    settings = {"batch_size": 10, "loss": loss, "label_smoothing": label_smoothing}
    numpys, ours = network.copy(), network.copy()
    run = train(
        numpys, (X, y), rng=None, epochs=epochs, optimizer="sgd", learning_rate=rate, **settings
    )
    wanted = [epoch.objective for epoch in run]
    step, found = CompiledSGD(ours, **settings), []
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(y), 10):
            part = slice(start, start + 10)
            total += step(X[part], y[part], rate).objective * len(y[part])
        found.append(total / len(y))
    return numpys, wanted, ours, found


def assert_equal(answers: tuple[Network, list[float], Network, list[float]], to: float) -> None:
    numpys, wanted, ours, found = answers
    assert not np.allclose(wanted[0], wanted[-1], rtol=1e-3)
    np.testing.assert_allclose(ours.parameters, numpys.parameters, rtol=to, atol=to)
    np.testing.assert_allclose(found, wanted, rtol=to)


@pytest.mark.parametrize(("loss", "hidden"), list(product(LOSSES, KINDS[1:])))
@pytest.mark.parametrize("widths", WIDTHS)
def test_the_compiled_step_is_numpys_step(widths: list[int], loss: str, hidden: str) -> None:
    for dense in (False, True):
        assert_equal(both(*problem(hidden, widths=widths, dense=dense), loss=loss), 1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_layers_of_different_activations_and_smoothed_labels(loss: str) -> None:
    mixed = problem(["relu", "sigmoid", "tanh"], widths=WIDTHS[3])
    assert_equal(both(*mixed, loss=loss, label_smoothing=0.1), 1e-10)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", KINDS[1:])
def test_the_compiled_step_is_numpys_step_in_float32(loss: str, hidden: str) -> None:
    assert_equal(both(*problem(hidden, dtype=np.float32), loss=loss), 1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [1e4, 1e-300])
def test_logits_of_any_size(loss: str, scale: float) -> None:
    network, X, y = problem(widths=WIDTHS[0])
    network.parameters *= scale
    numpys, wanted, ours, found = both(network, X, y, loss=loss, epochs=2)
    np.testing.assert_allclose(ours.parameters, numpys.parameters, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_images_that_are_all_zero_teach_the_biases_only() -> None:
    network, X, y = problem()
    before = network.W[0].copy()
    answers = both(network, 0 * X, y)
    np.testing.assert_array_equal(answers[2].W[0], before)
    assert_equal(answers, 1e-10)


def test_any_memory_order_and_read_only_examples_will_do() -> None:
    network, X, y = problem()
    plain = both(network, X, y)[2].parameters
    turned = np.asfortranarray(X)
    turned.flags.writeable = False
    np.testing.assert_array_equal(both(network, turned, y)[2].parameters, plain)


def test_two_runs_end_in_the_same_bits() -> None:
    first, second = (both(*problem(dtype=np.float32))[2].parameters for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("hidden", KINDS[1:])
def test_a_loss_that_is_not_finite_is_returned_and_moves_nothing(
    bad: float, loss: str, hidden: str
) -> None:
    network, X, y = problem(hidden)
    network.b[-1][1] = bad
    before = network.parameters.copy()
    step = CompiledSGD(network, loss=loss, label_smoothing=0.0, batch_size=39)
    assert not np.isfinite(step(X, y, 0.1).objective)
    np.testing.assert_array_equal(network.parameters, before)
    network.b[-1][1], network.b[0][0] = 0, np.nan
    assert not np.isfinite(step(X, y, 0.1).objective)


def test_a_rate_that_is_far_too_high_ends_in_a_loss_that_is_not_finite() -> None:
    network, X, y = problem("relu", dtype=np.float32)
    step = CompiledSGD(network, loss=LOSSES[0], label_smoothing=0.0, batch_size=39)
    assert not np.isfinite([step(X, y, 1e20).objective for _ in range(9)]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_code_runs_in_plain_python(monkeypatch: pytest.MonkeyPatch, dtype: type) -> None:
    network, X, y = problem(["relu", "sigmoid", "tanh"], widths=WIDTHS[3], dtype=dtype)
    for loss in LOSSES:
        settings = {"loss": loss, "label_smoothing": 0.1, "batch_size": 39}
        twins = network.copy(), network.copy()
        fast, slow = (CompiledSGD(twin, **settings) for twin in twins)
        with monkeypatch.context() as patch:
            for name, part in PARTS.items():
                patch.setattr(module, name, part)
            slow._step = module._step
            wanted = slow(X, y, 0.5)
        assert fast(X, y, 0.5) == pytest.approx(wanted, rel=1e-5)
        np.testing.assert_allclose(twins[0].parameters, twins[1].parameters, rtol=1e-4, atol=1e-6)


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(module, "_compiled", module._compiled.__wrapped__)
    with pytest.raises(ImportError, match=r"pip install 'chainrule\[compiled\]'"):
        machine_code(print)
    with pytest.raises(ImportError, match=r"pip install 'chainrule\[compiled\]'"):
        CompiledSGD(problem()[0], loss=LOSSES[0], label_smoothing=0.0, batch_size=4)


def test_without_a_compiled_step_numba_is_not_loaded() -> None:
    code = (
        "import json, sys, chainrule.training.compiled; print(json.dumps('numba' in sys.modules))"
    )
    assert answer(code) is False


def test_what_can_be_compiled() -> None:
    network = problem()[0]

    def possible(
        network: Network, loss: object, optimizer: Optimizer, *, more: bool = False
    ) -> bool:
        return not objection(network, loss, optimizer, more=more)

    for name in OPTIMIZERS:
        wanted = name in {"sgd", "adam", "adamw"}
        assert possible(network, LOSSES[0], OPTIMIZERS[name](1)) == wanted
    assert not possible(network, LOSSES[0], SGD(1, weight_decay=0.1))
    assert not possible(network, LOSSES[0], SGD(1), more=True)
    assert possible(network, LOSSES[0], OPTIMIZERS["adam"](1), more=True)
    normalized = Network.dense([4, 3, 2], rng=np.random.default_rng(0), batch_norm=True)
    assert not possible(normalized, LOSSES[0], SGD(1))
    assert possible(normalized, LOSSES[0], OPTIMIZERS["adam"](1))
    assert possible(network, LOSSES[1], SGD(1))
    assert not possible(network, "mean-squared-error", SGD(1))
    assert not possible(network, print, SGD(1))
    for hidden in ACTIVATIONS:
        wanted = hidden in {"sigmoid", "tanh", "relu"}
        assert possible(problem(hidden)[0], LOSSES[0], SGD(1)) == wanted
    rng = np.random.default_rng(0)
    softmax = Network.dense([3, 4, 2], rng=rng, output="softmax")
    assert not possible(softmax, LOSSES[0], SGD(1))
    assert possible(softmax, "mean-squared-error", OPTIMIZERS["adam"](1), more=True)

    class Other(SGD):
        pass

    assert not possible(network, LOSSES[0], Other(1))


MEASURE = """
import json
import tracemalloc
import numpy as np
from chainrule.training.compiled import CompiledSGD
from chainrule.nn.network import Network
rng = np.random.default_rng(0)
network = Network.dense([300, 100, 10], "sigmoid", rng=rng)
step = CompiledSGD(network, loss="sigmoid-cross-entropy", label_smoothing=0.0, batch_size=50)
X, y = rng.random((50, 300), dtype=np.float32), rng.integers(0, 10, 50)
step(X, y, 0.1)
tracemalloc.start()
before = tracemalloc.get_traced_memory()[0]
for _ in range(20):
    step(X, y, 0.1)
peaks = [tracemalloc.get_traced_memory()[1] - before]
tracemalloc.start()
wasteful = X * 1
peaks.append(tracemalloc.get_traced_memory()[1] - before)
print(json.dumps(peaks))
"""


def test_a_compiled_step_allocates_nothing() -> None:
    step, one_copy = answer(MEASURE)
    assert step < 4096, "views of arrays, and no arrays"
    assert one_copy > 50_000

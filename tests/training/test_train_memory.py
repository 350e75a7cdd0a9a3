"""A training step allocates nothing, and in float32 nothing is ever float64.

Measured in a process of its own, without the checks of shapes that the tests switch on.
"""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.threads import SERIAL, ThreadTeam
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.loss_buffers import Buffers
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network, Workspace
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.training.train import train
from helpers.losses import OF_LABELS
from helpers.processes import answer

LIMIT = 48 * 1024
"""Bytes a worker. NumPy's own buffer for broadcasting takes 33 KiB, whatever the sizes; anything
that grows with the examples or with the parameters is larger here than this."""

MEASURE = """
import json, sys, tracemalloc
from dataclasses import replace
from functools import partial
import numpy as np
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS
import chainrule.training.microbatches
from chainrule.core.threads import ThreadTeam
from chainrule.training.state import Progress
from chainrule.optim.schedules import Schedule
from chainrule.training.microbatches import Microbatches
from chainrule.training.options import Options
from chainrule.training.step import Step
from chainrule.training.train import never, run_epoch

chainrule.training.microbatches.MICROBATCH_ROWS = 65_536  # 1,024 rows would hide what grows

def peak(
    examples, widths, activation="relu", loss="softmax-cross-entropy", optimizer="adam", team=1
):
    rng = np.random.default_rng(0)
    network = Network.dense(widths, activation, rng=rng)
    X = rng.random((examples, widths[0]), dtype=np.float32)
    y = rng.integers(0, widths[-1], examples)
    of_labels = LOSSES[loss].labels
    if not of_labels:
        y = np.eye(widths[-1], dtype=np.float32)[y]
    step = Step(
        network,
        Microbatches(network, (X, y), ThreadTeam(team)),
        loss=partial(LOSSES[loss].function, label_smoothing=0.1 * of_labels),
        optimizer=OPTIMIZERS[optimizer](
            network.parameters.size, weight_decay=0.01, decayed=network.layout.weights_end
        ),
        schedule=Schedule(1e-3),
        progress=Progress(),
        options=Options(l2=1e-4, max_norm=0.01),
    )
    rows = slice(0, examples)
    run_epoch(step, iter([rows]), never)
    steps = iter([rows] * (20 if examples < 100 else 4))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    run_epoch(step, steps, never)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most - before

MANY_ROWS, MANY_WEIGHTS = (65_536, [4, 3, 3]), (4, [300, 300, 10])
found = {}
for name in ACTIVATIONS:
    if name != "softmax":  # its row maxima and sums are a vector of memory each
        found[f"activation {name}"] = peak(*MANY_ROWS, activation=name)
for name in LOSSES:
    found[f"loss {name}"] = peak(*MANY_ROWS, loss=name)
for name in OPTIMIZERS:
    found[f"optimizer {name}"] = peak(*MANY_WEIGHTS, optimizer=name)
found["a team of two, many rows"] = peak(*MANY_ROWS, team=2)
found["a team of two, many weights"] = peak(*MANY_WEIGHTS, team=2)

row, loss = ACTIVATIONS["relu"], LOSSES["softmax-cross-entropy"]
ACTIVATIONS["relu"] = replace(row, forward=lambda Z, out: row.forward(Z * 1, out))
found["planted: one copy of Z"] = peak(*MANY_ROWS)
ACTIVATIONS["relu"] = row

def one_vector(logits, labels, buffers, **settings):
    labels == 0
    return loss.function(logits, labels, buffers, **settings)

LOSSES["softmax-cross-entropy"] = replace(loss, function=one_vector)
found["planted: a byte a row"] = peak(*MANY_ROWS)
LOSSES["softmax-cross-entropy"] = loss

class Wasteful(OPTIMIZERS["sgd"]):
    def step(self, parameters, gradient, learning_rate, team):
        super().step(parameters, 1 * gradient, learning_rate, team)

OPTIMIZERS["sgd"] = Wasteful
found["planted: a copy of the gradient"] = peak(*MANY_WEIGHTS, optimizer="sgd")
assert "jaxtyping" not in sys.modules
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def peaks() -> dict[str, int]:
    """Bytes allocated at the worst moment of a few steps, by what they were made of."""
    measured: dict[str, int] = answer(MEASURE, OPENBLAS_NUM_THREADS="1")
    return measured


def test_a_step_allocates_nothing(peaks: dict[str, int]) -> None:
    honest = {name: peak for name, peak in peaks.items() if not name.startswith("planted")}
    assert len(honest) == len(ACTIVATIONS) - 1 + len(LOSSES) + len(OPTIMIZERS) + 2
    limits = {name: 2 * LIMIT if "two" in name else LIMIT for name in honest}
    assert {name: peak for name, peak in honest.items() if peak > limits[name]} == {}


def test_one_lost_temporary_would_be_noticed(peaks: dict[str, int]) -> None:
    planted = {name: peak for name, peak in peaks.items() if name.startswith("planted")}
    assert len(planted) == 3
    assert min(planted.values()) > LIMIT, planted


def floats(owner: object) -> list[Array]:
    """All arrays that an object holds, in lists or straight, but those that hold indices."""
    found = []
    for name, value in vars(owner).items():
        entries = value if isinstance(value, list) else [value]
        if name == "chain":  # a network's of layers, a workspace's of pairs
            parts = [part for link in entries for part in (link if isinstance(link, tuple) else ())]
            found += [array for part in parts if not callable(part) for array in floats(part)]
        found += [entry for entry in entries if isinstance(entry, np.ndarray)]
    return [array for array in found if array.dtype != np.intp]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", OF_LABELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_float32_run_is_float32_throughout(activation: str, loss: str, optimizer: str) -> None:
    rng = np.random.default_rng(0)
    network = Network.dense([4, 6, 3], activation, rng=rng, output=LOSSES[loss].output)
    seen: list[Array] = []

    class Watched(type(OPTIMIZERS[optimizer](1))):  # type: ignore[misc]
        def step(
            self,
            parameters: Array,
            gradient: Array,
            learning_rate: float,
            team: ThreadTeam = SERIAL,
        ) -> None:
            super().step(parameters, gradient, learning_rate, team)
            seen.extend([parameters, gradient, self._scratch, *self.state.values()])

    def watched_loss(z: Array, y: Array, buffers: Buffers, *, label_smoothing: float) -> object:
        value, dlogits = LOSSES[loss].function(z, y, buffers, label_smoothing=label_smoothing)
        seen.extend([z, dlogits, *floats(buffers)])
        return value, dlogits

    examples = rng.random((10, 4), dtype=np.float32), rng.integers(0, 3, 10)
    settings = {"l2": 0.01, "max_norm": 0.1, "label_smoothing": 0.1, "batch_size": 4}
    own = Watched(network.parameters.size, np.float32, weight_decay=0.1)
    for _ in train(
        network, examples, rng=rng, epochs=1, loss=watched_loss, optimizer=own, **settings
    ):
        pass
    assert len(seen) > 20
    assert {array.dtype for array in seen} == {np.dtype(np.float32)}
    assert network.predict_proba(examples[0]).dtype == np.float32


def test_a_workspace_is_float32_throughout() -> None:
    workspace = Workspace(Network.dense([4, 6, 3], rng=np.random.default_rng(0)), 5)
    assert len(floats(workspace)) >= 16
    assert {array.dtype for array in floats(workspace)} == {np.dtype(np.float32)}
    assert {array.dtype for array in floats(workspace.loss)} == {np.dtype(np.float32)}

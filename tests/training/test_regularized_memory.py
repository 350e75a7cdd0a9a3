"""With all that training may draw and normalise, a step still allocates nothing that grows.

Vectors of one number a unit and the generator of a share are allowed. Measured in a process of its
own, without the checks of shapes that the tests switch on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.data.augment import Distortion
from chainrule.nn.network import Network, Workspace
from chainrule.optim.ema import EMA
from chainrule.training.microbatches import GradientWorker
from chainrule.training.train import train
from helpers.processes import answer
from training.test_train_memory import LIMIT, floats

MEASURE = """
import json, sys, tracemalloc
from functools import partial
import numpy as np
import chainrule.training.microbatches

chainrule.training.microbatches.DRAWN_ROWS = 65_536  # 256 rows would hide what grows

from chainrule.nn.batch_norm import BatchNorm
from chainrule.nn.dropout import Dropout
from chainrule.optim.ema import EMA
from chainrule.data.augment import Distorter, Distortion
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.core.threads import ThreadTeam
from chainrule.training.state import Progress
from chainrule.optim.schedules import Schedule
from chainrule.training.microbatches import Microbatches
from chainrule.training.options import Options
from chainrule.training.step import Step
from chainrule.training.train import never, run_epoch

DRAWN = {"dropout": 0.3, "input_dropout": 0.2, "noise": 0.1, "input_noise": 0.1}
ELASTIC = Distortion(rotation=10, scaling=0.1, shear=5, shift=1, elastic=20, elastic_sigma=5)

def peak(examples, widths, *, average=0.0, max_weight_norm=0.0, distortion=None, team=1, **layers):
    rng = np.random.default_rng(0)
    network = Network.dense(widths, "gelu", rng=rng, **layers)
    X = rng.random((examples, widths[0]), dtype=np.float32)
    y = rng.integers(0, widths[-1], examples)
    learner = network.copy()
    shape = (2, widths[0] // 2)
    step = Step(
        network,
        Microbatches(
            network, (X, y), ThreadTeam(team), rng=rng,
            distorter=partial(Distorter, shape, distortion) if distortion else None,
        ),
        loss=partial(LOSSES["softmax-cross-entropy"].function, label_smoothing=0.1),
        optimizer=OPTIMIZERS["adamw"](network.parameters.size, decayed=network.layout.weights_end),
        schedule=Schedule(1e-3),
        progress=Progress(),
        options=Options(l2=1e-4, max_norm=0.01, max_weight_norm=max_weight_norm),
        ema=EMA(learner.state, network.state, average) if average else None,
    )
    rows = slice(0, examples)
    run_epoch(step, iter([rows] * 8), never)
    steps = iter([rows] * 8)  # one of which moves the average
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    run_epoch(step, steps, never)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most - before

MANY_ROWS, MANY_WEIGHTS = (8_192, [4, 3, 3, 3]), (4, [300, 300, 10])
ALL = {"batch_norm": True, **DRAWN}
STEP = {"average": 0.999, "max_weight_norm": 0.1}
found = {
    "batch norm": peak(*MANY_ROWS, batch_norm=True),
    "dropout": peak(*MANY_ROWS, dropout=0.3, input_dropout=0.2),
    "noise": peak(*MANY_ROWS, noise=0.3, input_noise=0.2),
    "all layers": peak(*MANY_ROWS, **ALL),
    "all layers, a team of two": peak(*MANY_ROWS, **ALL, team=2),
    "average": peak(*MANY_WEIGHTS, average=0.999),
    "max-norm": peak(*MANY_WEIGHTS, max_weight_norm=0.1),
    "all on many weights": peak(*MANY_WEIGHTS, **ALL, **STEP),
    "all on many weights, a team of two": peak(*MANY_WEIGHTS, **ALL, **STEP, team=2),
    # What 32 images need, whose 30 coefficients an axis are drawn anew, is no matter of the batch.
    "distortion of 128": peak(128, [784, 20, 3], distortion=ELASTIC),
    "distortion of 1024": peak(1024, [784, 20, 3], distortion=ELASTIC),
}

forward = Dropout.forward
Dropout.forward = lambda layer, A, memory, rng: (
    forward(layer, A, memory, rng) * np.ones_like(A[:, :1])
)
found["planted: one copy of a layer's inputs"] = peak(*MANY_ROWS, **DRAWN)
Dropout.forward = forward

normalize = BatchNorm.forward
def centred(layer, U, memory, rng):
    U.var(axis=0)
    return normalize(layer, U, memory, rng)
BatchNorm.forward = centred
found["planted: a variance that keeps no scratch"] = peak(*MANY_ROWS, batch_norm=True)
BatchNorm.forward = normalize

EMA.update = lambda self, step, team: np.copyto(self.average, 0.5 * self.weights)
found["planted: a copy of the weights"] = peak(*MANY_WEIGHTS, average=0.999)
assert "jaxtyping" not in sys.modules
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def peaks() -> dict[str, int]:
    """Bytes allocated at the worst moment of eight steps, by what was asked for."""
    measured: dict[str, int] = answer(MEASURE, OPENBLAS_NUM_THREADS="1")
    return measured


def test_a_step_allocates_nothing_that_grows_with_rows_or_weights(peaks: dict[str, int]) -> None:
    honest = {name: peak for name, peak in peaks.items() if not name.startswith("planted")}
    honest = {name: peak for name, peak in honest.items() if not name.startswith("distortion")}
    assert len(honest) == 9
    limits = {name: 2 * LIMIT if "two" in name else LIMIT for name in honest}
    assert {name: peak for name, peak in honest.items() if peak > limits[name]} == {}


def test_distorting_takes_no_more_for_a_larger_batch(peaks: dict[str, int]) -> None:
    small, large = (peaks[f"distortion of {rows}"] for rows in (128, 1024))
    assert abs(large - small) < 4096
    assert max(large, small) < 2 * LIMIT


def test_one_lost_temporary_would_be_noticed(peaks: dict[str, int]) -> None:
    planted = {name: peak for name, peak in peaks.items() if name.startswith("planted")}
    assert len(planted) == 3
    assert min(planted.values()) > LIMIT, planted


SETTINGS: dict[str, Any] = {
    "batch_norm": True,
    "dropout": 0.3,
    "input_dropout": 0.2,
    "noise": 0.1,
    "input_noise": 0.1,
}


def test_all_that_a_step_writes_into_is_float32() -> None:
    rng = np.random.default_rng(0)
    network = Network.dense([4, 6, 5, 3], rng=rng, **SETTINGS)
    workspace = Workspace(network, 5)
    arrays = floats(network) + floats(workspace)
    arrays += floats(EMA(network.state, network.state, 0.9))
    assert len(arrays) > 50
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_a_float32_run_with_all_of_it_is_float32_throughout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Array] = []
    microbatch = GradientWorker.microbatch

    def watched(worker: GradientWorker, *given: Any) -> Any:
        result = microbatch(worker, *given)
        w = worker.workspace
        assert w
        seen.extend([*floats(worker), *floats(w), *w.inputs, result[1]])
        return result

    monkeypatch.setattr(GradientWorker, "microbatch", watched)
    network = Network.dense([20, 6, 5, 3], rng=np.random.default_rng(0), **SETTINGS)
    X = np.random.default_rng(1).random((30, 20), np.float32)
    settings: dict[str, Any] = {"average": 0.9, "max_weight_norm": 1.0, "shape": (5, 4)}
    settings["distortion"] = Distortion(rotation=10.0, elastic=5.0)
    y = np.arange(30) % 3
    list(train(network, (X, y), rng=np.random.default_rng(0), batch_size=8, **settings))
    assert len(seen) > 100
    assert {array.dtype for array in [*seen, *floats(network)]} == {np.dtype(np.float32)}
    assert network.predict_proba(X).dtype == np.float32

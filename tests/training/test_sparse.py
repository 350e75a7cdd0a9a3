"""Sparse inputs: whatever takes rows of numbers takes SciPy's rows, and never fills them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import chainrule as cr
import chainrule.training.microbatches
from chainrule.core.arrays import Array, is_sparse
from chainrule.core.errors import ConfigError, DivergenceError
from chainrule.data.augment import Distortion
from chainrule.nn.gradient_check import gradcheck
from chainrule.nn.network import Network, Workspace
from chainrule.nn.predictor import Predictor
from chainrule.training.checks import check_examples, check_inputs
from chainrule.training.evaluate import evaluate
from chainrule.training.train import train
from helpers.processes import answer

ROWS, INPUTS = 40, 30
KINDS = {"csr_array": sp.csr_array, "csr_matrix": sp.csr_matrix}


def dense(rows: int = ROWS, dtype: Any = np.float64) -> Array:
    """Rows of which nine in ten entries are 0, one row all of them."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(rows, INPUTS)) * (rng.random((rows, INPUTS)) < 0.1)
    X[1] = 0
    return X.astype(dtype)


def network(**more: Any) -> Network:
    rng = np.random.default_rng(4)
    return Network.dense([INPUTS, 8, 3], "tanh", rng=rng, dtype=np.float64, **more)


Y = np.arange(ROWS) % 3


@pytest.fixture
def _never_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a sparse matrix dense is told."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a sparse matrix was made dense")

    for kind in (*KINDS.values(), sp.csc_array, sp.csc_matrix):
        for name in ("toarray", "todense", "__array__"):
            monkeypatch.setattr(kind, name, refuse, raising=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "more",
    [{}, {"batch_norm": True}, {"dropout": 0.3}],
    ids=["plain", "batch norm", "dropout"],
)
@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.usefixtures("_never_filled")
def test_sparse_inputs_train_the_network_of_dense_ones(
    kind: str, more: dict[str, Any], shuffled: bool, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "WORK_PER_CORE", 1)
    X = dense()
    trained = []
    for inputs in (X, KINDS[kind](X)):
        own = network(**more)
        rng = np.random.default_rng(0) if shuffled or more else None
        weights = np.linspace(0, 1, ROWS)
        epochs = list(
            train(
                own, (inputs, Y, weights), rng=rng, epochs=2, batch_size=7, threads=threads,
                validation=(inputs, Y), l2=0.01,
            )
        )  # fmt: skip
        trained.append((own.state, [(epoch.loss, epoch.validation_loss) for epoch in epochs]))
    np.testing.assert_allclose(trained[1][0], trained[0][0], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(trained[1][1], trained[0][1], rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, ROWS, 2100])
@pytest.mark.usefixtures("_never_filled")
def test_sparse_inputs_have_the_predictions_and_scores_of_dense_ones(kind: str, rows: int) -> None:
    X, own = dense(max(rows, 2))[:rows], network()
    y = np.arange(rows) % 3
    sparse = KINDS[kind](X)
    for predict in (own.predict_values, own.predict_proba, own.predict, Predictor(own)):
        np.testing.assert_allclose(predict(sparse), predict(X), rtol=1e-12, atol=1e-14)
    assert evaluate(own, (sparse, y)) == pytest.approx(evaluate(own, (X, y)), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("_never_filled")
def test_loss_and_gradient_of_sparse_inputs_are_those_of_dense_ones(kind: str) -> None:
    X, own = dense(), network()
    value, gradient = cr.loss_and_gradient(own, (X, Y), l2=0.1)
    other, same = cr.loss_and_gradient(own, (KINDS[kind](X), Y), l2=0.1)
    assert other == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(same, gradient, rtol=1e-10, atol=1e-14)
    assert gradcheck(own, KINDS[kind](X)[:6], Y[:6]).ok


def test_an_entry_in_two_parts_is_their_sum() -> None:
    # SciPy allows it, where a matrix was put together from triples.
    twice = sp.csr_array((np.array([1.0, 2.0]), np.array([4, 4]), np.array([0, 2])), (1, INPUTS))
    once = np.zeros((1, INPUTS))
    once[0, 4] = 3
    np.testing.assert_allclose(network().predict_proba(twice), network().predict_proba(once))


def test_float32_stays_float32() -> None:
    own = network().copy(np.float32)
    X = sp.csr_array(dense(dtype=np.float32))
    workspace = Workspace(own, ROWS)
    assert own.forward(X, workspace).dtype == np.float32
    assert Predictor(own)(X).dtype == own.predict_proba(X).dtype == np.float32
    assert [epoch.epoch for epoch in train(own, (X, Y), rng=None, epochs=1)] == [1]


def spoiled(value: float) -> sp.csr_array:
    X = sp.csr_array(dense())
    X.data[np.flatnonzero(X.indices == X.indices[-1])[-1]] = value
    return X


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (lambda: sp.coo_array(dense()), r"sparse coo_array: give them by rows, images\.tocsr\(\)"),
        (lambda: sp.csc_matrix(dense()), r"sparse csc_matrix: give them by rows"),
        (lambda: sp.csr_array(dense()[:, 1:]), r"shape \(40, 29\): layer 1 takes 30 inputs"),
        (lambda: sp.csr_array(dense(dtype=np.float32)), r"float32, the network is float64"),
        (lambda: sp.csr_array(dense()[1:]), "39 images and 40 labels: give one label an image"),
        (lambda: spoiled(np.nan), r"image \d+ has the value nan at input \d+: every input"),
    ],
)
def test_sparse_inputs_that_do_not_fit_are_refused(inputs: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_examples(network(), (inputs(), Y), loss="softmax-cross-entropy")


def test_the_place_of_a_bad_value_is_its_own() -> None:
    X = dense()
    X[7] = 0
    X[7, 11] = 1
    sparse = sp.csr_array(X)
    sparse[7, 11] = np.inf
    with pytest.raises(ValueError, match="image 7 has the value inf at input 11"):
        check_inputs(network(), sparse)


def test_what_would_fill_them_is_refused() -> None:
    sparse = sp.csr_array(dense())
    rng = np.random.default_rng(0)
    for more in ({"input_dropout": 0.1}, {"input_noise": 0.1}):
        with pytest.raises(ConfigError, match=r"sparse images: .* images\.toarray\(\)"):
            train(network(**more), (sparse, Y), rng=rng)
    bent = Distortion(rotation=10.0)
    with pytest.raises(ConfigError, match="sparse images cannot be distorted"):
        train(network(), (sparse, Y), rng=rng, distortion=bent, shape=(5, 6))
    pytest.importorskip("numba")
    with pytest.raises(ValueError, match="weights, sparse inputs"):
        train(network(), (sparse, Y), rng=rng, optimizer="sgd", compiled=True)


def test_a_divergence_says_how_large_they_are() -> None:
    sparse = sp.csr_array(dense() * 1e3)
    own = Network.dense([INPUTS, 8, 3], rng=np.random.default_rng(4), dtype=np.float64)
    own.W[0][...] = 1e308
    with pytest.raises(DivergenceError, match="or scale the inputs: they reach"):
        list(train(own, (sparse, Y), rng=None, optimizer="sgd", learning_rate=1e12))


WIDE = """
import json, resource
import numpy as np, scipy.sparse as sp
import chainrule as cr
rng = np.random.default_rng(0)
X = sp.random_array((2000, 100_000), density=1e-4, rng=rng, dtype=np.float32, format="csr")
y = rng.integers(0, 3, 2000)
network = cr.Network.dense([100_000, 4, 3], rng=rng)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for epoch in cr.train(network, (X, y), rng=rng, epochs=1, optimizer="sgd", validation=(X, y)):
    pass
found = {"mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}
print(json.dumps(found | {"loss": epoch.validation_loss}))
"""


def test_a_wide_sparse_set_takes_no_memory_of_a_dense_one() -> None:
    found = answer(WIDE)  # 2,000 rows of 100,000 inputs: 763 MiB if they were dense
    assert found["mib"] < 100
    assert found["loss"] < 2


def test_only_rows_are_sparse_inputs() -> None:
    assert is_sparse(sp.csr_array(dense()))
    assert not is_sparse(sp.csc_array(dense()))
    assert not is_sparse(dense())
    assert not is_sparse([[0.0]])

"""Training on two cores: the same network as on one, and nothing left behind."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

import chainrule.training.microbatches
from chainrule.core.arrays import Array
from chainrule.core.blas import cores
from chainrule.core.errors import DivergenceError
from chainrule.data.batches import Rows
from chainrule.nn.loss_buffers import Buffers
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.optim.schedules import Schedule
from chainrule.training.microbatches import WORK_PER_CORE, split, team_size
from chainrule.training.options import ALL_CORES
from chainrule.training.train import Epoch, train
from helpers.losses import OF_LABELS

Settings = dict[str, Any]

PATIENCE = 60
"""Seconds until a thread that does not end is given up."""

ROWS = 22


@pytest.fixture(autouse=True)
def _small_steps_are_worth_a_second_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "WORK_PER_CORE", 1)


def problem(
    dtype: Any = np.float64, loss: str = "softmax-cross-entropy"
) -> tuple[Network, tuple[Array, Array], tuple[Array, Array]]:
    """(6 -> 8 -> 5 -> 3 with tanh, for this loss; 22 examples, 9 more to validate)"""
    rng, row = np.random.default_rng(4), LOSSES[loss]
    ends = {"output": row.output, "link": row.link}
    network = Network.dense([6, 8, 5, 3], "tanh", rng=rng, dtype=dtype, **ends)
    X, y = rng.random((ROWS + 9, 6)).astype(dtype), rng.integers(0, 3, ROWS + 9)
    return network, (X[:ROWS], y[:ROWS]), (X[ROWS:], y[ROWS:])


def run(threads: int, dtype: Any = np.float64, **settings: Any) -> tuple[Network, list[Epoch]]:
    """The network and the epochs of a run in which exactly so many threads took part."""
    network, examples, validation = problem(dtype, settings.get("loss", "softmax-cross-entropy"))
    settings = {
        "rng": np.random.default_rng(1),
        "epochs": 2,
        "optimizer": "momentum",
        "learning_rate": 0.05,
        "validation": validation,
        **settings,
    }
    before, epochs = {*threading.enumerate()}, []
    for epoch in train(network, examples, threads=threads, **settings):
        assert len({*threading.enumerate()} - before) == threads - 1
        epochs.append(epoch)
    return network, epochs


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind() -> Any:
    before = {*threading.enumerate()}
    yield
    for thread in {*threading.enumerate()} - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()


PENALTIES = {
    "plain": {},
    "l2": {"l2": 0.01},
    "max_norm": {"max_norm": 0.1},
    "label_smoothing": {"label_smoothing": 0.1},
    "all": {"l2": 0.01, "max_norm": 0.1, "label_smoothing": 0.1, "optimizer": "adamw"},
}


@pytest.mark.parametrize(
    ("penalty", "batch_size", "share_rows"),
    [
        *((penalty, 7, 3) for penalty in PENALTIES),
        *(("all", batch_size, 1024) for batch_size in (1, 2, 7, 13, ROWS, 100)),
        *(("all", batch_size, 5) for batch_size in (1, 13, ROWS)),
        ("all", 13, 1),
    ],
)
def test_two_and_three_threads_train_the_network_of_one_within_rounding(
    penalty: str, batch_size: int, share_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Settings = {"batch_size": batch_size, **PENALTIES[penalty]}
    # The yardstick: every batch in one piece.
    expected, epochs = run(1, **settings)
    monkeypatch.setattr(chainrule.training.microbatches, "MICROBATCH_ROWS", share_rows)
    for threads in (1, 2, 3):
        network, shared = run(threads, **settings)
        np.testing.assert_allclose(
            network.parameters, expected.parameters, rtol=1e-10, atol=1e-12, strict=True
        )
        for mine, other in zip(shared, epochs, strict=True):
            assert (mine.epoch, mine.step) == (other.epoch, other.step)
            assert mine.loss == pytest.approx(other.loss, rel=1e-10)
            assert mine.validation_loss == pytest.approx(other.validation_loss, rel=1e-10)
            assert mine.validation_accuracy == other.validation_accuracy


@pytest.mark.parametrize("loss", OF_LABELS)
@pytest.mark.parametrize("shuffled", [True, False])
def test_so_it_is_for_every_loss_and_in_every_order(
    loss: str, shuffled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings() -> Settings:
        return {
            "rng": np.random.default_rng(3) if shuffled else None,
            "batch_size": 9,
            "loss": loss,
        }

    expected, _ = run(1, **settings())
    monkeypatch.setattr(chainrule.training.microbatches, "MICROBATCH_ROWS", 2)
    network, _ = run(2, **settings())
    np.testing.assert_allclose(network.parameters, expected.parameters, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("share_rows", [1024, 3])
def test_one_seed_and_one_number_of_threads_give_the_same_bits_twice(
    threads: int, share_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "MICROBATCH_ROWS", share_rows)
    first, again = (
        run(threads, np.float32, batch_size=13, epochs=5, optimizer="adam")[0] for _ in range(2)
    )
    assert first.parameters.tobytes() == again.parameters.tobytes()


def test_every_worker_sees_its_share_of_each_batch() -> None:
    seen: list[tuple[threading.Thread, list[int]]] = []

    def loss(z: Array, y: Array, buffers: Buffers, *, label_smoothing: float = 0) -> Any:
        seen.append((threading.current_thread(), y.tolist()))
        return LOSSES["softmax-cross-entropy"].function(z, y, buffers)

    network = Network.dense([6, ROWS], rng=np.random.default_rng(0), dtype=np.float64)
    examples = problem()[1][0], np.arange(ROWS)
    list(train(network, examples, rng=None, epochs=1, batch_size=11, loss=loss, threads=2))
    own, other = ([y for t, y in seen if (t is threading.current_thread()) == me] for me in (1, 0))
    assert own == [[0, 1, 2, 3, 4, 5], [11, 12, 13, 14, 15, 16]]
    assert other == [[6, 7, 8, 9, 10], [17, 18, 19, 20, 21]]


@pytest.mark.parametrize("share_rows", [1, 3, 1024])
@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("examples", [1, 2, 7, 13, 48, 1025])
@pytest.mark.parametrize("kind", ["slice", "numbers"])
def test_the_shares_are_all_rows_once(
    kind: str, examples: int, workers: int, share_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "MICROBATCH_ROWS", share_rows)
    file = np.arange(2000)
    shuffled = np.random.default_rng(0).permutation(file)[:examples]
    rows: Rows = slice(100, 100 + examples) if kind == "slice" else shuffled
    shares = split(rows, workers)
    lengths = [len(file[share]) for share in shares]
    assert np.array_equal(np.concatenate([file[share] for share in shares]), file[rows])
    assert 0 < min(lengths) <= max(lengths) <= share_rows
    # All but the last are of one size, so that a worker needs two workspaces at most.
    assert len({*lengths[:-1]}) <= 1
    # Nobody works more rounds than the rows need.
    rounds = Counter(number % workers for number in range(len(shares)))
    assert max(rounds.values()) == -(-examples // (workers * share_rows))


def test_a_step_takes_the_cores_that_it_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "WORK_PER_CORE", WORK_PER_CORE)
    article = Network.dense([784, 128, 64, 10], rng=np.random.default_rng(0))
    assert team_size(article, 10, ALL_CORES) == team_size(article, 10, 8) == 1
    assert team_size(article, 1, ALL_CORES) == 1
    # 109,184 weights with their gaps: 92 rows of them are 10 million.
    assert [team_size(article, rows, 8) for rows in (91, 183, 184, 274, 275)] == [1, 1, 2, 2, 3]
    assert team_size(article, 10_000, 8) == 8
    assert team_size(article, 10_000, 1) == 1
    assert team_size(article, 10**9, ALL_CORES) == cores()


@pytest.mark.parametrize(("batch_size", "threads"), [(10, 1), (11, 1), (ROWS, 2), (10_000, 2)])
def test_it_is_the_largest_batch_there_is_that_counts(
    batch_size: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, examples, _ = problem()
    # All 22 examples are worth two cores, not more, whatever the batch size says.
    monkeypatch.setattr(
        chainrule.training.microbatches, "WORK_PER_CORE", network.layout.weights_end * ROWS // 2
    )
    before = {*threading.enumerate()}
    epochs = train(network, examples, rng=None, batch_size=batch_size, threads=8)
    next(epochs)
    assert len({*threading.enumerate()} - before) == threads - 1
    epochs.close()


def runaway(**settings: Any) -> tuple[Network, bytes, DivergenceError]:
    """(a network, its first weights, how it diverged at once): layer 2 cannot bear a large input"""
    rng = np.random.default_rng(0)
    network = Network.dense([6, 8, 5, 3], "identity", rng=rng)
    network.W[1][...] = 3e38
    X, y = np.zeros((8, 6), np.float32), np.zeros(8, int)
    X[settings.pop("large")] = 1
    before = network.parameters.tobytes()
    with pytest.raises(DivergenceError) as caught:
        list(train(network, (X, y), rng=None, learning_rate=0.01, **settings))
    return network, before, caught.value


@pytest.mark.parametrize(("large", "share_rows"), [(0, 1024), (7, 1024), (4, 2), (7, 2)])
def test_whichever_worker_runs_away_the_layer_is_named_and_the_weights_are_put_back(
    large: int, share_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "MICROBATCH_ROWS", share_rows)
    network, before, error = runaway(large=large, batch_size=8, threads=2)
    assert (error.step, error.layer) == (0, 2)
    assert "first in layer 2 (8 -> 5 identity)" in str(error)
    assert network.parameters.tobytes() == before


def test_a_worker_that_never_had_a_share_is_no_matter_when_training_runs_away() -> None:
    network, before, error = runaway(large=slice(None), batch_size=4, threads=8)
    assert (error.step, error.layer) == (0, 2)
    assert network.parameters.tobytes() == before


def test_a_later_divergence_puts_good_weights_back_too() -> None:
    network, examples, _ = problem(np.float32)
    before = network.parameters.tobytes()
    with pytest.raises(DivergenceError, match="the weights of step 0 are kept"):
        list(
            train(
                network,
                examples,
                rng=None,
                threads=2,
                optimizer="sgd",
                learning_rate=Schedule(1e38),
            )
        )
    assert network.parameters.tobytes() == before


@pytest.mark.parametrize("ending", ["the end", "close", "stop", "an exception", "divergence"])
def test_however_training_ends_its_threads_end_too(ending: str) -> None:
    network, examples, _ = problem()
    before = {*threading.enumerate()}
    calls = iter(range(100))
    settings: Settings = {"epochs": 4, "batch_size": 8, "threads": 3}
    if ending == "stop":
        settings["stop"] = lambda: next(calls) >= 4
    epochs = train(network, examples, rng=None, **settings)
    next(epochs)
    own = {*threading.enumerate()} - before
    assert len(own) == 2
    if ending == "close":
        epochs.close()
    elif ending == "an exception":
        with pytest.raises(KeyError):
            epochs.throw(KeyError())
    elif ending == "divergence":
        network.parameters[...] = np.nan
        with pytest.raises(DivergenceError):
            next(epochs)
    else:
        assert len(list(epochs)) == (0 if ending == "stop" else 3)
    for thread in own:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_what_a_loss_raises_in_the_second_thread_comes_out_of_training() -> None:
    network, examples, _ = problem()

    def loss(z: Array, y: Array, buffers: Buffers, *, label_smoothing: float = 0) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise KeyError("in the second thread")
        return LOSSES["softmax-cross-entropy"].function(z, y, buffers)

    with pytest.raises(KeyError, match="in the second thread"):
        list(train(network, examples, rng=None, batch_size=8, loss=loss, threads=2))

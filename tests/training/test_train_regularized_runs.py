"""Whatever training draws: the same for one seed, on any number of cores, and after any cut."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule.nn.network
import chainrule.training.microbatches
from chainrule.core.arrays import Array
from chainrule.nn.dropout import Dropout
from chainrule.nn.network import Network, Workspace
from chainrule.training.checkpoint import Checkpoint, latest, write_checkpoint
from chainrule.training.microbatches import split
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, train
from conftest import oracle
from training.test_train_regularized import ALL, EACH, LAYERS, Settings, problem

SHARE = 4
"""Rows of a share here, so that a small batch has several."""


@pytest.fixture(autouse=True)
def _small_steps_have_several_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chainrule.training.microbatches, "WORK_PER_CORE", 1)
    monkeypatch.setattr(chainrule.training.microbatches, "DRAWN_ROWS", SHARE)


class Run:
    """One run, from nothing or from a saved progress, cut before a step or not at all."""

    def __init__(
        self,
        progress: Progress | None = None,
        *,
        cut: int = -1,
        folder: Path | None = None,
        seed: int = 1,
        threads: int = 1,
        dtype: Any = np.float64,
        **settings: Any,
    ) -> None:
        layers = {name: settings.pop(name) for name in LAYERS if name in settings}
        self.network, (images, labels) = problem(dtype=dtype, **layers)
        self.progress, self.epochs = progress or Progress(), list[Epoch]()

        def stop() -> bool:
            if self.progress.step == cut and folder:
                history = [asdict(epoch) for epoch in self.epochs]
                write_checkpoint(folder, Checkpoint(self.progress, history, {}, {}, {}))
            return self.progress.step == cut

        before = {*threading.enumerate()}
        for epoch in train(
            self.network,
            (images[:32], labels[:32]),
            rng=np.random.default_rng(seed),
            validation=(images[32:], labels[32:]),
            threads=threads,
            stop=stop,
            progress=self.progress,
            **{"epochs": 3, "batch_size": 16, **settings},
        ):
            assert len({*threading.enumerate()} - before) == threads - 1
            self.epochs.append(epoch)

    @property
    def bits(self) -> bytes:
        return bytes(self.network.state.tobytes())

    @property
    def numbers(self) -> list[dict[str, Any]]:
        """The epochs without the time they took."""
        return [asdict(epoch) | {"seconds": 0} for epoch in self.epochs]


MANY: dict[str, Settings] = {**EACH, "all": ALL}


@pytest.mark.parametrize("name", MANY)
def test_one_seed_gives_the_same_bits_twice_and_another_seed_others(name: str) -> None:
    settings: Settings = {"dtype": np.float32, "batch_size": 8, **MANY[name]}
    first, again, other = (Run(seed=seed, **settings) for seed in (1, 1, 2))
    assert first.bits == again.bits
    assert first.numbers == again.numbers
    assert first.bits != other.bits


@pytest.mark.parametrize("threads", [2, 3])
def test_so_does_one_number_of_threads(threads: int) -> None:
    first, again = (Run(threads=threads, dtype=np.float32, **ALL) for _ in range(2))
    assert first.bits == again.bits


@pytest.mark.parametrize(
    ("name", "batch_size"),
    [
        *((name, 16) for name in MANY),
        *(("all", batch_size) for batch_size in (2, 4, 32)),
        # A last batch of 4 rows, 2 rows and 12 rows: 1, 1 and 3 shares.
        ("dropout", 14),
        ("batch norm", 14),
        ("all", 14),
        ("batch norm", 15),
        ("batch norm", 20),
    ],
)
def test_two_and_three_threads_train_the_network_of_one_within_rounding(
    name: str, batch_size: int
) -> None:
    settings: Settings = {"batch_size": batch_size, "l2": 0.01, "max_norm": 0.3, **MANY[name]}
    alone = Run(**settings)
    for threads in (2, 3):
        shared = Run(threads=threads, **settings)
        np.testing.assert_allclose(shared.network.state, alone.network.state, rtol=1e-9, atol=1e-11)
        for mine, other in zip(shared.epochs, alone.epochs, strict=True):
            assert mine.loss == pytest.approx(other.loss, rel=1e-10)
            assert mine.validation_loss == pytest.approx(other.validation_loss, rel=1e-9)


@pytest.mark.parametrize("examples", [1, 3, 4, 5, 8, 9, 31, 100, 257])
@pytest.mark.parametrize("size", [1, 4, 256])
def test_shares_of_a_size_are_as_few_and_as_equal_as_can_be_whoever_does_them(
    size: int, examples: int
) -> None:
    order = np.random.default_rng(0).permutation(examples)
    for rows in (order, slice(7, 7 + examples)):
        shares = [np.arange(400)[share] for share in split(rows, 1, size)]
        assert np.array_equal(np.concatenate(shares), np.arange(400)[rows])
        lengths = [len(share) for share in shares]
        assert max(lengths) <= size
        assert len(shares) == -(-examples // size)
        assert len({*lengths[:-1]}) <= 1
        for workers in (2, 3):
            others = [np.arange(400)[share] for share in split(rows, workers, size)]
            assert all(map(np.array_equal, shares, others))


class Watched:
    """Runs in which every batch that goes forward, and every mask, is written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.given: list[Array] = []
        """What the network was given in training."""
        self.evaluated: list[Array] = []
        self.masks: list[bytes] = []
        forward, drop = Network.forward, Dropout.forward

        def watched(network: Network, X: Array, w: Workspace, rng: Any = None) -> Array:
            (self.evaluated if rng is None else self.given).append(X.copy())
            return forward(network, X, w, rng)

        def drawn(layer: Dropout, A: Array, memory: Any, rng: Any) -> Array:
            result = drop(layer, A, memory, rng)
            if rng:
                self.masks.append(memory.mask.tobytes())
            return result

        with monkeypatch.context() as patch:
            patch.setattr(Network, "forward", watched)
            patch.setattr(Dropout, "forward", drawn)
            Run(epochs=2, **settings)


@pytest.mark.parametrize("threads", [1, 2])
def test_each_layer_of_each_share_of_each_step_has_a_mask_of_its_own(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    settings: Settings = {"dropout": 0.5, "input_dropout": 0.5}
    masks = Watched(monkeypatch, threads=threads, **settings).masks
    # 2 epochs of 2 batches of 4 shares, three layers: of 32 inputs, 20 or more bits each.
    assert len(masks) == 2 * 2 * 4 * 3
    assert len({*masks}) == len(masks)
    assert {*masks} == {*Watched(monkeypatch, threads=3 - threads, **settings).masks}


@pytest.mark.parametrize("threads", [1, 2])
def test_images_are_distorted_anew_each_time_and_never_to_be_measured(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    seen = Watched(monkeypatch, threads=threads, **EACH["distortion"])
    rows = [row.tobytes() for X in seen.given for row in X]
    assert len({*rows}) == len(rows) == 2 * 32
    images = problem()[1][0]
    assert not {*rows} & {row.tobytes() for row in images}
    assert [X.tobytes() for X in seen.evaluated] == [images[32:].tobytes()] * 2
    other = Watched(monkeypatch, threads=3 - threads, **EACH["distortion"])
    assert sorted(row.tobytes() for X in other.given for row in X) == sorted(rows)


def loaded(folder: Path) -> Progress:
    found = latest(folder, report=pytest.fail)
    assert found
    return found.progress


def assert_same_end(folder: Path, cut: int, **settings: Any) -> None:
    whole = Run(**settings)
    first = Run(cut=cut, folder=folder, **settings)
    progress = loaded(folder)
    assert progress.step == cut
    second = Run(progress, **settings)
    assert second.bits == whole.bits
    assert first.numbers + second.numbers == whole.numbers
    assert second.epochs
    for name, values in whole.progress.arrays.items():
        assert second.progress.arrays[name].tobytes() == values.tobytes(), name


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("cut", [1, 4, 7, 9])
def test_a_run_that_was_cut_goes_on_to_the_same_bits(tmp_path: Path, name: str, cut: int) -> None:
    # 4 steps an epoch.
    settings: Settings = {"batch_size": 8, "dtype": np.float32, **MANY[name]}
    assert_same_end(tmp_path, cut, **settings)


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 16, 25, 27])
@pytest.mark.parametrize("threads", [1, 2])
def test_so_does_one_with_patience_on_any_number_of_cores(
    tmp_path: Path, threads: int, cut: int
) -> None:
    settings: Settings = {"batch_size": 8, "epochs": 20, "patience": 4, "learning_rate": 0.01}
    # Milder than all of it, so that the best epoch is neither the first nor the last.
    settings = {**ALL, "distortion": None, "max_weight_norm": 3.0, "threads": threads, **settings}
    assert_same_end(tmp_path, cut, **settings)


@pytest.mark.parametrize("settings", [{}, EACH["average"], ALL], ids=["adam", "average", "all"])
def test_so_does_one_that_was_never_saved(settings: Settings) -> None:
    settings = {"batch_size": 8, "epochs": 6, **settings}
    first = Run(cut=10, **settings)
    assert Run(first.progress, **settings).bits == Run(**settings).bits


def test_progress_without_the_average_is_refused(tmp_path: Path) -> None:
    Run(cut=5, folder=tmp_path, **EACH["batch norm"])
    with pytest.raises(ValueError, match="of another run: average differ"):
        Run(loaded(tmp_path), **EACH["batch norm"], **EACH["average"])
    with pytest.raises(ValueError, match=r"of another run: .*parameters"):
        Run(loaded(tmp_path))


def test_machine_code_updates_as_numpy_does_and_takes_no_whole_steps() -> None:
    oracle("numba")
    plain, compiled = Run(**ALL), Run(compiled=True, **ALL)
    np.testing.assert_allclose(compiled.network.state, plain.network.state, rtol=1e-9, atol=1e-11)
    for name in LAYERS:
        with pytest.raises(ValueError, match="without momentum, norms, penalties, averages"):
            Run(compiled=True, optimizer="sgd", **{name: ALL[name]})

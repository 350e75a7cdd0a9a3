"""Settings that no machine can hold are refused before anything is claimed or allocated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.core import memory
from chainrule.core.errors import ConfigError
from chainrule.core.memory import in_words, most_memory
from chainrule.experiments.memory import check_memory, least_memory
from chainrule.experiments.settings import Settings
from chainrule.nn.network import Network, Workspace

BOMBS = (
    "layers = [784, 1000000000, 10]",
    "layers = [784, 4611686018427387904, 10]",
    "layers = [784, 3037000500, 3037000500, 10]",
    "layers = [784, 2147483648, 2147483648, 10]",  # the product of the widths is 0 in 64 bits
    'layers = [784, 1000000000, 10]\nbatch_norm = true\ndtype = "float64"',
)


@pytest.mark.parametrize("find_lr", [(), ("--find-lr",)])
@pytest.mark.parametrize("text", BOMBS)
def test_a_configuration_that_needs_terabytes_is_one_sentence(
    chainrule, few, text, find_lr
) -> None:
    Path("bomb.toml").write_text(text)
    done = chainrule("train", "--data", few, "--config", "bomb.toml", *find_lr)
    assert done.code == 2
    assert "error: layers [784, " in done.err
    assert "weights and gradient need " in done.err
    assert "B at least" in done.err
    assert not Path("runs").exists()


def test_a_batch_that_needs_terabytes_is_refused_by_its_own_name(monkeypatch) -> None:
    monkeypatch.setattr("chainrule.experiments.memory.most_memory", lambda: 10**10)
    settings = Settings(layers=(10, 1_000_000, 10), batch_size=10_000, compiled=True)
    check_memory(settings, 1000)  # of 1,000 examples no batch has more
    with pytest.raises(ConfigError, match="batch_size 10000: the activations of layers"):
        check_memory(settings, 10_000)


@pytest.mark.parametrize("examples", [1, 20, 1000])
@pytest.mark.parametrize("widths", [(4, 3), (784, 20, 30, 10)])
def test_what_is_counted_is_never_more_than_training_takes(widths, examples) -> None:
    settings = Settings(layers=widths, batch_size=0)
    network = Network.dense(widths, rng=np.random.default_rng(0))
    workspace = Workspace(network, examples)
    arrays = [network.state, workspace.gradient]
    weights, batch = least_memory(settings, examples)
    assert weights <= sum(array.nbytes for array in arrays)
    assert batch <= 2 * examples * sum(widths[1:]) * network.dtype.itemsize


def test_the_lowest_limit_counts(tmp_path, monkeypatch) -> None:
    assert most_memory() is None or most_memory() > 10**6
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUPS", (limit, tmp_path / "none"))
    limit.write_text("12345\n")
    assert most_memory() == 12345
    limit.write_text("max\n")
    assert most_memory() != 12345


def test_bytes_are_given_in_a_unit_that_people_read() -> None:
    assert [in_words(n) for n in (500_000, 6_400 * 10**9, 33_600_000_000, 3 * 10**19)] == [
        "0.5 MB", "6.4 TB", "33.6 GB", "30,000.0 PB",
    ]  # fmt: skip


def test_memory_that_runs_out_is_one_sentence(chainrule, few, monkeypatch) -> None:
    def allocate(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 8.88 GiB for an array")

    monkeypatch.setattr("chainrule.experiments.job.Network.dense", allocate)
    done = chainrule("train", "--data", few)
    assert done.code == 1
    assert "not enough memory: Unable to allocate 8.88 GiB for an array; use smaller" in done.err

"""The options about speed: threads, pictures, the compiled step, and what --verbose says."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn.model_file import load_model
from chainrule.runs.folder import contents
from conftest import oracle

SGD = ("--layers", "784,16,10", "--optimizer", "sgd", "--batch-size", 10, "--epochs", 1)


def test_verbose_names_blas_its_kernel_and_the_cores_of_a_step(chainrule, few) -> None:
    done = chainrule("train", "--data", few, *SGD, "--verbose", "--no-pictures", "--threads", 1)
    assert done.code == 0
    assert ", kernel " in done.err
    assert "each step on 1 of " in done.err


def test_without_pictures_a_run_has_everything_but_them(chainrule, few, tmp_path) -> None:
    assert chainrule("train", "--data", few, *SGD, "--no-pictures", "--run", "bare").code == 0
    assert contents(tmp_path / "runs" / "bare") == [
        "checkpoints",
        "config.toml",
        "history.jsonl",
        "model.safetensors",
        "report.json",
    ]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_machine_code_trains_the_same_network(chainrule, few, tmp_path, optimizer) -> None:
    oracle("numba")
    for name, options in (("numpy", ()), ("compiled", ("--compiled",))):
        choice = ("--optimizer", optimizer, "--no-pictures", "--run", name)
        done = chainrule("train", "--data", few, *SGD, *choice, *options)
        assert done.code == 0, done.err
    plain, compiled = (
        load_model(tmp_path / "runs" / name / "model.safetensors").network.parameters
        for name in ("numpy", "compiled")
    )
    assert np.allclose(plain, compiled, atol=1e-5)
    assert not np.array_equal(plain, np.zeros_like(plain))


@pytest.mark.parametrize(
    "options",
    [("--optimizer", "nesterov"), ("--l2", 0.1), ("--max-norm", 1), ("--activation", "gelu")],
)
def test_what_the_compiled_step_does_not_know_is_refused_in_one_line(
    chainrule, few, options
) -> None:
    oracle("numba")
    done = chainrule("train", "--data", few, *SGD, "--compiled", *options)
    assert done.code == 2
    assert (
        "compiled = true: only adam's update and whole steps of plain sgd can be compiled: without"
        in done.err
    )
    assert "Traceback" not in done.err


def test_without_numba_the_extra_is_named(chainrule, few, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    done = chainrule("train", "--data", few, *SGD, "--compiled", "--json")
    assert done.code == 2
    assert "pip install 'chainrule[compiled]'" in json.loads(done.out)["error"]


def test_in_python_the_same_refusal_is_a_value_error() -> None:
    oracle("numba")
    rng = np.random.default_rng(0)
    network = cr.Network.dense([4, 3, 2], rng=rng)
    examples = rng.random((6, 4), dtype=np.float32), rng.integers(0, 2, 6)
    with pytest.raises(ValueError, match="can be compiled"):
        next(cr.train(network, examples, rng=rng, compiled=True, optimizer="rmsprop"))

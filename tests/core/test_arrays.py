"""Aligned memory, and annotations that mean shapes in tests and nothing in a user's process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

import chainrule.core.arrays
from chainrule.core.arrays import ALIGNMENT, aligned_size, aligned_zeros
from chainrule.evaluation.metrics import accuracy
from helpers.shapes import CHECKED

DTYPES = st.sampled_from([np.float32, np.float64])


@given(size=st.integers(1, 1000), dtype=DTYPES)
def test_an_aligned_vector_starts_on_a_cache_line_and_is_zero(size: int, dtype: type) -> None:
    vector = aligned_zeros(size, dtype)
    assert vector.ctypes.data % 64 == 0
    assert vector.shape == (size,)
    assert vector.dtype == dtype
    assert not vector.any()
    assert vector.flags.writeable
    assert vector.flags.c_contiguous


@given(size=st.integers(0, 10_000), dtype=DTYPES)
def test_an_aligned_size_is_the_least_that_fills_cache_lines(size: int, dtype: type) -> None:
    item = np.dtype(dtype).itemsize
    rounded = aligned_size(size, dtype)
    assert rounded * item % ALIGNMENT == 0
    assert size <= rounded < size + ALIGNMENT // item


def test_here_the_shapes_in_signatures_are_checked() -> None:
    with pytest.raises(TypeCheckError):
        accuracy(np.array([1, 2, 3]), np.array([1, 2]))
    with pytest.raises(TypeCheckError):
        accuracy(np.array([1.0]), np.array([1.0]))


def test_of_many_calls_the_first_are_checked() -> None:
    for _ in range(CHECKED):
        accuracy(np.array([1]), np.array([1]))
    assert accuracy(np.array([1.0]), np.array([1.0])) == 1


@given(once=st.none())
def test_of_hypothesis_all_are(once: None) -> None:
    for _ in range(CHECKED):
        accuracy(np.array([1]), np.array([1]))
    with pytest.raises(TypeCheckError):
        accuracy(np.array([1.0]), np.array([1.0]))


@pytest.mark.parametrize("width", ["int8", "uint8", "int32", "int64", "uint64"])
def test_integers_of_any_width_are_integers(width: str) -> None:
    assert accuracy(np.array([1, 2], width), np.array([1, 3])) == 0.5


def test_without_jaxtyping_an_annotation_is_just_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jaxtyping")
    spec = importlib.util.spec_from_file_location("plain_arrays", chainrule.core.arrays.__file__)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    for annotation in (plain.Float, plain.Int, plain.UInt8):
        assert annotation[plain.Array, "N K"] is np.ndarray


def test_a_users_process_loads_neither_jaxtyping_nor_beartype() -> None:
    program = (
        "import sys, chainrule.training.train, chainrule.evaluation.metrics\n"
        "import chainrule.nn.gradient_check\n"
        "print(sorted({'jaxtyping', 'beartype', 'torch', 'scipy'} & set(sys.modules)))"
    )
    source = Path(chainrule.core.arrays.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(source)},
    )
    assert done.stdout.strip() == "[]"

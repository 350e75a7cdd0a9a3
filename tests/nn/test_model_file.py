"""A saved network comes back bit for bit, other programs read it, and no save is half a save."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.core.arrays import Array
from chainrule.core.errors import ModelFileError
from chainrule.core.tensor_file import LARGEST_FILE
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.dense import Dense
from chainrule.nn.model_file import Model, load_model, load_network, save
from chainrule.nn.network import Network

NAMES = st.sampled_from(list(ACTIVATIONS))


def example(dtype: Any = np.float32, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    network = Network.dense([6, 4, 3], "relu", rng=rng, dtype=dtype)
    for b in network.b:
        b[...] = rng.normal(size=b.shape)
    return network


@settings(max_examples=60)
@given(
    widths=st.lists(st.integers(1, 12), min_size=2, max_size=6),
    dtype=st.sampled_from([np.float32, np.float64]),
    link=NAMES,
    data=st.data(),
)
def test_what_was_saved_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory,
    widths: list[int],
    dtype: Any,
    link: str,
    data: st.DataObject,
) -> None:
    network = Network(
        [Dense(i, o, data.draw(NAMES)) for i, o in pairwise(widths)], dtype, link=link
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    for view in network.W + network.b:
        view[...] = rng.normal(size=view.shape) * 10.0 ** rng.integers(-30, 30, view.shape)
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    other = load_network(save(network, path))
    assert (other.layers, other.dtype, other.link) == (network.layers, network.dtype, link)
    assert other.parameters.tobytes() == network.parameters.tobytes()


def test_classes_shape_scale_and_summary_come_back(tmp_path: Path) -> None:
    model = Model(
        example(),
        classes=("nought", "een", "twéé"),
        shape=(2, 3),
        pixel_scale=255.0,
        summary={"recipe": "fast", "seed": 0, "accuracy": 0.98, "versions": {"numpy": "2"}},
    )
    again = load_model(save(model, tmp_path / "model.safetensors"))
    for name in ("classes", "shape", "pixel_scale", "summary"):
        assert getattr(again, name) == getattr(model, name)


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_a_model_scales_the_pixels_as_it_was_trained(scale: float) -> None:
    images = np.random.default_rng(1).random((5, 6), dtype=np.float32)
    network = example()
    expected = network.predict_proba(images * np.float32(scale))
    ours = Model(network, pixel_scale=scale).predict_proba(images)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_a_header_of_any_length_is_read(tmp_path: Path) -> None:
    # Lengths come in steps of 8; the first byte of some is that of a pickle.
    path, first_bytes = tmp_path / "model.safetensors", set()
    for length in range(0, 272, 8):
        save(Model(example(), summary={"note": "x" * length}), path)
        first_bytes.add(path.read_bytes()[0])
        assert load_network(path).parameters.tobytes() == example().parameters.tobytes()
    assert 0x80 in first_bytes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_safetensors_reads_the_weights_under_torchs_names(tmp_path: Path, dtype: Any) -> None:
    network = example(dtype)
    tensors = safetensors.numpy.load_file(save(network, tmp_path / "model.safetensors"))
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "0.weight": (4, 6),
        "0.bias": (4,),
        "2.weight": (3, 4),
        "2.bias": (3,),
    }
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(dtype)}
    assert np.array_equal(tensors["2.weight"], network.W[1].T)


def test_torch_loads_the_file_strictly_and_computes_the_same(
    torch: ModuleType, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    network = example(np.float64)
    nn = torch.nn
    theirs = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(dim=1)).double()
    state = load_file(save(network, tmp_path / "model.safetensors"))
    theirs.load_state_dict(state, strict=True)
    X = np.random.default_rng(1).normal(size=(7, 6))
    expected = theirs(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-12)


def test_the_same_model_makes_the_same_file(tmp_path: Path) -> None:
    # Eight times: with three entries in an order of chance, two files are equal now and then.
    path = tmp_path / "model.safetensors"
    assert len({save(example(), path).read_bytes() for _ in range(8)}) == 1
    header_length = int.from_bytes(path.read_bytes()[:8], "little")
    assert header_length % 8 == 0


def test_saving_over_a_file_replaces_it_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = save(example(), tmp_path / "model.safetensors")
    assert save(example(seed=1), path) == path
    assert load_network(path).parameters.tobytes() == example(seed=1).parameters.tobytes()
    assert list(tmp_path.iterdir()) == [path]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [full, interrupted])
@pytest.mark.parametrize("exists", [True, False])
def test_a_failed_save_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: Any, exists: bool
) -> None:
    path = tmp_path / "model.safetensors"
    if exists:
        save(example(), path)
    before = {entry: entry.read_bytes() for entry in tmp_path.iterdir()}
    monkeypatch.setattr(os, call, failure)
    with pytest.raises((OSError, KeyboardInterrupt)):
        save(example(seed=1), path)
    monkeypatch.undo()
    assert {entry: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_a_save_into_no_folder_makes_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save(example(), tmp_path / "nowhere" / "model.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path, value: float) -> None:
    path, network = save(example(), tmp_path / "model.safetensors"), example()
    before = path.read_bytes()
    network.W[1][0, 0] = value
    with pytest.raises(ModelFileError, match="not finite numbers; train with a lower learning"):
        save(network, path)
    assert path.read_bytes() == before


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "model.safetensors")


def test_a_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="give the path of"):
        load_network(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="not an ordinary file"):
        load_network(tmp_path / "pipe")


def test_a_file_of_absurd_size_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with open(path, "wb") as stream:
        stream.truncate(LARGEST_FILE + 1)  # sparse: no disk is used
    with pytest.raises(ModelFileError, match="larger than 2,147,483,648 bytes"):
        load_network(path)


def test_the_views_of_a_loaded_network_are_its_parameters(tmp_path: Path) -> None:
    network = load_network(save(example(), tmp_path / "model.safetensors"))
    views: list[Array] = network.W + network.b
    assert all(np.shares_memory(view, network.parameters) for view in views)

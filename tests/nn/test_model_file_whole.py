"""Save, then load, then train is train: nothing of a network is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.errors import ModelFileError
from chainrule.core.tensor_file import read_sealed, write_sealed
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.committee import Committee
from chainrule.nn.dense import Dense
from chainrule.nn.losses import LOSSES
from chainrule.nn.model_file import (
    COMMITTEE_FORMAT,
    FORMAT,
    WHOLE_COMMITTEE_FORMAT,
    WHOLE_FORMAT,
    Model,
    load_model,
    load_network,
    save,
)  # fmt: skip
from chainrule.nn.network import Network
from chainrule.nn.predictor import Predictor
from chainrule.training.train import train
from chainrule.web.bundle import model_as_dict
from helpers.damage import believed_flips

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "dropout": {"dropout": 0.5},
    "input dropout": {"input_dropout": 0.2},
    "noise": {"noise": 0.3},
    "input noise": {"input_noise": 0.1},
    "float64": {"batch_norm": True, "dtype": np.float64},
    "sigmoid link": {"link": "sigmoid", "dropout": 0.1},
    "identity link": {"output": "softmax", "link": "identity", "batch_norm": True},
    "everything": {
        "batch_norm": True, "dropout": 0.5, "input_dropout": 0.2, "noise": 0.3, "input_noise": 0.1,
    },
} | {f"{name} units": {"activation": name, "batch_norm": True} for name in ACTIVATIONS}  # fmt: skip
ALL = KINDS["everything"]


def examples(dtype: Any = np.float32) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    return rng.random((60, 6)).astype(dtype), rng.integers(0, 3, 60)


def trained(network: Network) -> bytes:
    """The network's numbers after one more epoch."""
    loss = next(name for name in LOSSES if LOSSES[name].link == network.link)
    for _ in train(
        network,
        examples(network.dtype),
        rng=np.random.default_rng(9),
        epochs=1,
        batch_size=20,
        loss=loss,
    ):
        pass
    return network.state.tobytes()


def example(**kind: Any) -> Network:
    """A network that has learned something, its running statistics too."""
    network = Network.dense([6, 8, 5, 3], rng=np.random.default_rng(1), **kind)
    trained(network)
    return network


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_and_loaded_predicts_and_trains_on_to_the_same_bits(
    tmp_path: Path, kind: str
) -> None:
    network = example(**KINDS[kind])
    again = load_network(save(network, tmp_path / "m.safetensors"))
    assert (again.layers, again.dtype, again.link) == (network.layers, network.dtype, network.link)
    X, _ = examples(network.dtype)
    assert again.predict_proba(X).tobytes() == network.predict_proba(X).tobytes()
    assert Predictor(again)(X).tobytes() == Predictor(network)(X).tobytes()
    assert trained(again) == trained(network)


@pytest.mark.parametrize("kind", KINDS)
def test_programs_of_before_refuse_by_its_format_what_they_would_lose(
    tmp_path: Path, kind: str
) -> None:
    network = example(**KINDS[kind])
    for saved, known in (
        (network, kind == "plain"), (network.folded(), True),
        (Committee((network, network.copy())), kind == "plain"),
    ):  # fmt: skip
        save(saved, tmp_path / "m")
        _, words = read_sealed(tmp_path / "m", format=(FORMAT, COMMITTEE_FORMAT) if known else (
            WHOLE_FORMAT, WHOLE_COMMITTEE_FORMAT
        ))  # fmt: skip
        assert words["format"].startswith("chainrule-")


def test_the_page_and_the_folded_file_hold_the_same_network(tmp_path: Path) -> None:
    network = example(**ALL)
    whole = load_model(save(network, tmp_path / "whole"))
    folded = load_model(save(network.folded(), tmp_path / "folded"))
    assert model_as_dict(whole, "m") == model_as_dict(folded, "m")
    X, _ = examples()
    assert Predictor(whole.members[0])(X).tobytes() == Predictor(folded.members[0])(X).tobytes()


def test_the_members_of_a_committee_train_on_too(tmp_path: Path) -> None:
    committee = Committee((example(**ALL), example(dropout=0.5), example()))
    again = load_model(save(committee, tmp_path / "m")).network
    assert isinstance(again, Committee)
    X, _ = examples()
    assert again.predict_proba(X).tobytes() == committee.predict_proba(X).tobytes()
    for ours, theirs in zip(again.members, committee.members, strict=True):
        assert trained(ours) == trained(theirs)


def test_torch_loads_it_strictly_under_its_own_names(torch: ModuleType, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    network = example(batch_norm=True, dropout=0.5, input_dropout=0.2, dtype=np.float64)
    nn = torch.nn
    theirs = nn.Sequential(
        nn.Dropout(0.2), nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(8, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(5, 3), nn.Softmax(dim=1),
    ).double()  # fmt: skip
    theirs.load_state_dict(load_file(save(network, tmp_path / "m")), strict=True)
    X, _ = examples(np.float64)
    expected = theirs.eval()(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-12)


def test_every_flip_of_one_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m"
    save(Network([Dense(2, 1, batch_norm=True, dropout=0.5)]), path)
    assert not believed_flips(path, load_model)


def forge(path: Path, change: Any) -> None:
    """A whole file, changed, with a right checksum."""
    tensors, words = read_sealed(save(example(**ALL), path), format=WHOLE_FORMAT)
    description = json.loads(words["model"])
    change(description["layers"], tensors)
    write_sealed(path, tensors, words | {"model": json.dumps(description)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, t: t.update({"3.running_var": -t["3.running_var"]}), "a variance is below 0"),
        (lambda d, t: t.update({"3.running_var": t["3.running_var"] * np.nan}), "not a finite"),
        (lambda d, t: t.update({"3.running_mean": np.zeros(9, "f4")}), "names and shapes"),
        (lambda d, t: t.pop("3.bias"), "names and shapes"),
        (lambda d, t: t.update({"2.bias": t["3.bias"]}), "names and shapes"),
        (lambda d, t: d[0].__setitem__(3, False), "names and shapes"),
        (lambda d, t: d[0].__setitem__(4, 1.0), "dropout 1.0 is a share from 0 to below 1"),
        (lambda d, t: d[0].__setitem__(4, float("nan")), "dropout nan is a share"),
        (lambda d, t: d[0].__setitem__(5, -1.0), "noise -1.0 a standard deviation"),
        (lambda d, t: d[0].__setitem__(5, "much"), "does not hold"),
        (lambda d, t: d[0].pop(), "a layer of 5 values, 6 describe one"),
        (lambda d, t: d.__setitem__(0, d[0][:3]), "a layer of 3 values, 6 describe one"),
        (lambda d, t: d.__setitem__(0, 7), "does not hold"),
    ],
)
def test_a_forged_file_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    forge(tmp_path / "good", lambda d, t: None)
    load_model(tmp_path / "good")
    forge(tmp_path / "m", change)
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path / "m")


def test_what_would_not_be_read_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = example(**ALL)
    network.variance[0][0] = -1
    half = Network([Dense(2, 2)], np.float16)
    deep = Network([Dense(1, 1)] * 1025)
    for model, message in (
        (network, "a variance is below 0"), (half, "float16"), (deep, "1025 layers"),
        (Model(example(), classes=("a",)), "1 class names"),
        (Model(example(), pixel_scale=np.inf), "pixel_scale is inf"),
    ):  # fmt: skip
        with pytest.raises(ModelFileError, match=message):
            save(model, tmp_path / "m")
    monkeypatch.setattr("chainrule.core.tensor_file.LARGEST_FILE", 1000)
    with pytest.raises(ModelFileError, match="at most 1,000 are read"):
        save(example(), tmp_path / "m")
    assert not [*tmp_path.iterdir()]

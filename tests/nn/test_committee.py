"""A committee's answer is the mean of its members', in memory, from a file, and beside torch."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.core.errors import ModelFileError
from chainrule.core.tensor_file import read_sealed
from chainrule.nn.committee import Committee
from chainrule.nn.dense import Dense
from chainrule.nn.model_file import FORMAT, Model, load_model, load_network, save
from chainrule.nn.network import Network
from helpers.damage import believed_flips

WIDTHS = ([6, 4, 3], [6, 3], [6, 9, 5, 3])
X = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)


def networks(dtype: Any = np.float32) -> tuple[Network, ...]:
    rng = np.random.default_rng(0)
    return tuple(Network.dense(widths, rng=rng, dtype=dtype) for widths in WIDTHS)


def test_its_probabilities_are_the_mean_of_its_members() -> None:
    members = networks()
    expected = np.mean([member.predict_proba(X) for member in members], axis=0)
    committee = Committee(members)
    np.testing.assert_allclose(committee.predict_proba(X), expected, rtol=1e-6)
    np.testing.assert_allclose(committee.predict_proba(X).sum(axis=1), 1, rtol=1e-6)
    assert np.array_equal(committee.predict(X), expected.argmax(axis=1))


def test_the_majority_loses_to_one_member_that_is_surer() -> None:
    # 0.6 : 0.4 twice against 0.01 : 0.99 is 0.403 : 0.597: a mean, not a vote.
    odds = [np.log([0.6, 0.4]), np.log([0.6, 0.4]), np.log([0.01, 0.99])]
    members = []
    for logits in odds:
        network = Network([Dense(1, 2)])
        network.b[0][...] = logits
        members.append(network)
    (found,) = Committee(tuple(members)).predict_proba(np.zeros((1, 1), np.float32))
    np.testing.assert_allclose(found, [1.21 / 3, 1.79 / 3], rtol=1e-6)


def test_asking_it_changes_no_member_and_twice_gives_the_same() -> None:
    members = networks()
    before = [member.parameters.tobytes() for member in members]
    committee = Committee(members)
    first = committee.predict_proba(X)
    assert first.tobytes() == committee.predict_proba(X).tobytes()
    assert [member.parameters.tobytes() for member in members] == before


def test_a_committee_of_one_is_that_one() -> None:
    member = networks()[0]
    assert Committee((member,)).predict_proba(X).tobytes() == member.predict_proba(X).tobytes()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ((), "at least one member"),
        (([6, 3], [5, 3]), "member 2 has inputs 5, member 1 6"),
        (([6, 3], [6, 4]), "member 2 has classes 4, member 1 3"),
    ],
)
def test_members_that_do_not_fit_together_are_refused(members: Any, message: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        Committee(tuple(Network.dense(widths, rng=rng) for widths in members))


def test_members_of_two_precisions_are_refused() -> None:
    with pytest.raises(ValueError, match="member 2 has precision float64, member 1 float32"):
        Committee((networks()[0], networks(np.float64)[1]))


@settings(max_examples=40, deadline=None)
@given(
    hidden=st.lists(st.lists(st.integers(1, 6), max_size=3), min_size=1, max_size=12),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_what_was_saved_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, hidden: list[list[int]], dtype: Any
) -> None:
    # Up to twelve members: names with two digits stand before others in a sorted file.
    rng = np.random.default_rng(0)
    members = tuple(Network.dense([6, *units, 3], "tanh", rng=rng, dtype=dtype) for units in hidden)
    path = tmp_path_factory.getbasetemp() / "committee.safetensors"
    again = load_model(save(Committee(members), path))
    assert isinstance(again.network, Committee)
    assert [member.layers for member in again.members] == [member.layers for member in members]
    for one, other in zip(again.members, members, strict=True):
        assert one.parameters.tobytes() == other.parameters.tobytes()
        assert (one.dtype, one.link) == (other.dtype, other.link)


def test_its_model_tells_inputs_classes_and_all_that_was_learned(tmp_path: Path) -> None:
    summary = {"recipe": "committee of fast", "seeds": [0, 1, 2]}
    model = Model(Committee(networks()), ("a", "b", "c"), (2, 3), 255.0, summary)
    again = load_model(save(model, tmp_path / "model.safetensors"))
    assert (again.inputs, again.outputs, len(again.members)) == (6, 3, 3)
    assert again.parameter_count == (24 + 4 + 12 + 3) + (18 + 3) + (54 + 9 + 45 + 5 + 15 + 3)
    for name in ("classes", "shape", "pixel_scale", "summary"):
        assert getattr(again, name) == getattr(model, name)
    expected = model.network.predict_proba(X * np.float32(255))
    np.testing.assert_allclose(again.predict_proba(X), expected, rtol=1e-6)


def test_a_single_network_is_a_model_of_one_member() -> None:
    network = networks()[0]
    model = Model(network)
    assert model.members == (network,)
    assert (model.inputs, model.outputs) == (6, 3)
    assert model.parameter_count == network.parameter_count


def test_torch_loads_its_file_strictly_and_computes_the_same(
    torch: ModuleType, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    members = networks(np.float64)
    nn = torch.nn
    stacks = []
    for widths in WIDTHS:
        layers = []
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        stacks.append(nn.Sequential(*layers[:-1], nn.Softmax(dim=1)))
    theirs = nn.ModuleList(stacks).double()
    path = save(Committee(members), tmp_path / "model.safetensors")
    theirs.load_state_dict(load_file(path), strict=True)
    inputs = torch.tensor(X.astype(np.float64))
    expected = torch.stack([stack(inputs) for stack in theirs]).mean(dim=0).detach().numpy()
    np.testing.assert_allclose(load_model(path).predict_proba(X), expected, rtol=1e-12)


def test_as_one_network_its_file_is_refused_and_told_what_reads_it(tmp_path: Path) -> None:
    path = save(Committee(networks()), tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match=r"a committee of 3 networks, not one; .*load_model"):
        load_network(path)


def test_a_program_that_knows_single_networks_only_refuses_its_file(tmp_path: Path) -> None:
    path = save(Committee(networks()[:1]), tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="its format is 'chainrule-committee-1'"):
        read_sealed(path, format=FORMAT)


def test_the_file_of_a_single_network_is_what_it_was_before_there_were_committees(
    tmp_path: Path,
) -> None:
    network = Network([Dense(3, 2, "tanh"), Dense(2, 2)])
    for number, view in enumerate(network.W + network.b):
        view[...] = np.arange(view.size).reshape(view.shape) / 8 - number
    path = save(Model(network, ("no", "yes"), (1, 3), 255.0, {"seed": 1}), tmp_path / "model")
    # Of a file that the version before wrote.
    assert hashlib.sha256(path.read_bytes()).hexdigest() == (
        "a8c773e1e3cf80544b6f0af4efc62375a3c7a690fdeb22f9e4c8bb4f95d94d23"
    )
    assert set(safetensors.numpy.load_file(path)) == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_one_member_that_is_not_finite_keeps_the_committee_from_being_saved(tmp_path: Path) -> None:
    members = networks()
    members[2].b[0][0] = np.nan
    with pytest.raises(ModelFileError, match="not finite numbers"):
        save(Committee(members), tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_every_flip_of_one_bit_is_noticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    committee = Committee(tuple(Network.dense([1, 1], rng=rng) for _ in range(2)))
    path = save(committee, tmp_path / "model")
    assert not believed_flips(path, load_model)

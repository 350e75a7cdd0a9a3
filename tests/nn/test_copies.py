"""Networks and workspaces, copied and pickled: the twin shares no memory and learns the same bits.

The oracle is `Network.copy`, and the same steps with nothing copied.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.nn.dense import Dense
from chainrule.nn.losses import softmax_cross_entropy
from chainrule.nn.network import Network, Workspace, Workspaces
from chainrule.optim.ema import EMA
from chainrule.training.compiled import CompiledSGD
from conftest import oracle
from helpers.copying import (
    NETWORKS,
    X,
    Y,
    arrays,
    assert_small,
    every_way,
    learn,
    network,
    pickled,
    share_memory,
    trained,
)

every_network = pytest.mark.parametrize("name", NETWORKS)


@every_way
@every_network
def test_a_copied_network_learns_to_the_same_bits(name: str, way: Callable[[Any], Any]) -> None:
    original = trained(name)
    before = original.state.tobytes()
    twin, wanted = way(original), original.copy()
    assert twin.state.tobytes() == before
    assert not share_memory(twin, original)
    learn(twin, seed=3)
    assert original.state.tobytes() == before
    assert twin.state.tobytes() == learn(wanted, seed=3).state.tobytes() != before
    assert twin.state.tobytes() == learn(original, seed=3).state.tobytes()


@every_way
@every_network
def test_views_of_a_copy_are_aligned_and_its_own(name: str, way: Callable[[Any], Any]) -> None:
    twin = way(trained(name))
    views = [*twin.W, *twin.b, *twin.gamma, *twin.mean, *twin.variance]
    held = [value for layer in twin.chain for value in arrays(layer, set())]
    assert all(np.shares_memory(view, twin.state) for view in views + held if view.size)
    assert all(view.ctypes.data % 64 == 0 for view in [twin.state, *views] if view.size)
    twin.state.fill(7)
    assert all((view == 7).all() for view in views + held)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_network_survives_each_protocol_of_pickle(protocol: int) -> None:
    original = trained("all")
    twin = pickle.loads(pickle.dumps(original, protocol))
    assert learn(twin, seed=3).state.tobytes() == learn(original, seed=3).state.tobytes()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_pickle_of_a_network_holds_each_number_once(batch_norm: bool) -> None:
    rng = np.random.default_rng(0)
    large = Network.dense([784, 100, 50, 10], rng=rng, batch_norm=batch_norm)
    assert_small(large, [*large.W, *large.b, *large.gamma, *large.mean, *large.variance])


@every_way
def test_what_a_user_hung_on_a_network_stays(way: Callable[[Any], Any]) -> None:
    class Named(Network):
        pass

    globals()["Named"], Named.__qualname__ = Named, "Named"
    original = Named([Dense(4, 2)])
    original.history = [0.5, 0.25]
    twin = way(original)
    assert type(twin) is Named
    assert (twin.history, twin.layers) == ([0.5, 0.25], original.layers)


@pytest.mark.parametrize("way", [pickled, copy.deepcopy])
def test_a_workspace_copied_with_its_network_works_on_the_copy(way: Callable[[Any], Any]) -> None:
    original = trained("batch norm")
    used = Workspaces(original)
    wanted = gradient(original, used[90])
    twin, one, several = way((original, used[90], used))
    assert one.network is several.network is twin
    assert not several, "buffers are made when they are first used"
    for workspace in (one, several[90]):
        assert gradient(twin, workspace) == wanted
        assert not share_memory(workspace, used)
    twin.state.fill(0.5)
    assert gradient(twin, one) != wanted == gradient(original, used[90])


def gradient(of: Network, workspace: Workspace) -> bytes:
    logits = of.forward(X.copy(), workspace, np.random.default_rng(0))
    _, dlogits = softmax_cross_entropy(logits, Y, workspace.loss)
    return bytes(of.backward(dlogits, workspace).tobytes())


def test_a_shallow_copy_of_a_workspace_serves_the_same_network_with_other_buffers() -> None:
    original = network()
    used = Workspace(original, 90)
    wanted, twin = gradient(original, used), copy.copy(used)
    assert twin.network is original
    assert copy.copy(Workspaces(original)).network is original
    gradient(original, twin)
    twin.gradient.fill(0)
    assert used.gradient.tobytes() == wanted == gradient(original, twin)


def test_the_pickle_of_a_workspace_has_no_scratch_memory() -> None:
    original = network()
    used = Workspaces(original)
    assert_small([used[5000], used], [original.state])


def test_a_workspace_of_another_network_is_refused() -> None:
    original = network()
    with pytest.raises(ValueError, match=r"made for another network.* a workspace of its own"):
        original.copy().forward(X, Workspace(original, 90))


@every_way
@pytest.mark.parametrize("name", ["EMA", "Linear", "BatchNorm", "CompiledSGD"])
def test_what_works_in_the_memory_of_a_network_says_so(
    name: str, way: Callable[[Any], Any]
) -> None:
    of = network("batch norm" if name != "CompiledSGD" else "plain")
    if name == "CompiledSGD":
        oracle("numba")
        value: Any = CompiledSGD(
            of, loss="softmax-cross-entropy", label_smoothing=0.0, batch_size=5
        )
    elif name == "EMA":
        value = EMA(of.copy().state, of.state, 0.9)
    else:
        value = next(layer for layer in of.chain if type(layer).__name__ == name)
    with pytest.raises(TypeError, match=f"{name} works in the memory of a network.*copy the netw"):
        way(value)

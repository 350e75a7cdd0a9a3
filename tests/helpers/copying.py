"""The four ways to copy, small networks to copy, and what their arrays share."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.nn.network import Network
from chainrule.training.train import train


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def pickled_out_of_band(value: Any) -> Any:
    """As shared memory does it: the pickle refers to the original's own buffers."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=buffers)


WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": pickled,
    "out of band": pickled_out_of_band,
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "float64": {"dtype": np.float64, "activation": "gelu"},
    "batch norm": {"batch_norm": True},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "noise": {"noise": 0.2, "input_noise": 0.1},
    "all": {"batch_norm": True, "dropout": 0.3, "noise": 0.2, "link": "sigmoid"},
}


RNG = np.random.default_rng(5)


X = RNG.standard_normal((90, 12)).astype(np.float32)


Y = RNG.integers(0, 3, 90)


every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def network(name: str = "plain") -> Network:
    return Network.dense([12, 9, 3], rng=np.random.default_rng(1), **NETWORKS[name])


def trained(name: str = "plain") -> Network:
    return learn(network(name), seed=2)


def learn(learner: Network, *, seed: int) -> Network:
    options = {"epochs": 2, "batch_size": 20, "optimizer": "momentum", "learning_rate": 0.05}
    rng = np.random.default_rng(seed)
    list(train(learner, (X.astype(learner.dtype), Y), rng=rng, **options))
    return learner


def arrays(value: Any, seen: set[int]) -> Iterator[Array]:
    """All arrays that can be reached from the value."""
    if id(value) in seen or isinstance(value, type):
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
        return
    parts = [*value.values()] if isinstance(value, dict) else []
    parts += [*value] if isinstance(value, list | tuple) else []
    if type(value).__module__.startswith("chainrule"):
        parts += vars(value).values() if hasattr(value, "__dict__") else []
    for part in parts:
        yield from arrays(part, seen)


def share_memory(one: Any, other: Any) -> bool:
    mine, others = ([a for a in arrays(v, set()) if a.size] for v in (one, other))
    return any(np.may_share_memory(a, b) for a in mine for b in others)


def assert_small(value: Any, vectors: list[Array]) -> None:
    """A pickle with each number once, whatever scratch memory the object has."""
    held = sum(vector.nbytes for vector in vectors)
    assert len(pickle.dumps(value)) <= 1.01 * held + 2000

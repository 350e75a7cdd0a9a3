"""Trainings side by side in threads of one process: the bits of one alone, and nothing left set."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.processes import answer

TOGETHER = """
import json, threading
import numpy as np
from threadpoolctl import ThreadpoolController
import chainrule as cr
from chainrule.core.blas import cores, describe_blas, one_blas_thread


def blas():
    pools = ThreadpoolController().info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


rng = np.random.default_rng(0)
X, y = rng.random((2048, 784), dtype=np.float32), rng.integers(0, 10, 2048)


def train(stop=lambda: False):
    network = cr.Network.dense([784, 256, 256, 10], rng=np.random.default_rng(0))
    for _ in cr.train(network, (X, y), rng=np.random.default_rng(1), epochs=1, batch_size=512,
                      stop=stop):
        pass
    return network.parameters.tobytes().hex()[:64]


def side_by_side(first_out):
    # The second begins within the first; first_out: the first ends first.
    first_in, second_in, out = threading.Event(), threading.Event(), threading.Event()
    found = {}

    def first():
        found["first"] = train(lambda: (first_in.set(), second_in.wait(),
                                        first_out or out.wait(), False)[-1])
        first_out and out.set()

    def second():
        first_in.wait()
        found["second"] = train(lambda: (second_in.set(), not first_out or out.wait(), False)[-1])
        first_out or out.set()

    threads = [threading.Thread(target=each) for each in (first, second)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return found["first"], found["second"]


before = blas()
# Before anybody has asked for the number of cores: within the limit it must not be taken for one.
with one_blas_thread():
    inside, counted, described = blas(), cores(), describe_blas()
alone = train()
found = {
    "inside": inside, "counted": counted, "before": before,
    "same": [{*side_by_side(first_out)} == {alone} for first_out in (True, False)],
    "after": blas(), "described": [described, describe_blas()],
}
narrow = cr.Network.dense([784, 16, 10], rng=np.random.default_rng(0))
with one_blas_thread():
    beside = cr.evaluate(narrow, (X, y))
found["measured"] = [beside, cr.evaluate(narrow, (X, y))]
with ThreadpoolController().limit(limits=2, user_api="blas"):
    bits = []
    within = threading.Thread(target=lambda: bits.append(train()))
    within.start(), within.join()
    found["within a limit of another thread"] = bits == [alone]
with one_blas_thread():
    with one_blas_thread():
        pass
    found["nested"] = blas()
try:
    with one_blas_thread():
        raise KeyError
except KeyError:
    found["after an error"] = blas()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    told: dict[str, Any] = answer(TOGETHER, OPENBLAS_NUM_THREADS="2")
    return told


def test_two_trainings_side_by_side_have_the_bits_of_one_alone(found: dict[str, Any]) -> None:
    assert found["same"] == [True, True]
    assert found["within a limit of another thread"]


def test_the_limit_holds_within_and_is_put_back_by_the_last_to_leave(
    found: dict[str, Any],
) -> None:
    assert found["before"] == found["after"] == found["after an error"] == [2]
    assert found["inside"] == found["nested"] == [1]
    assert found["counted"] == 2


def test_what_is_measured_has_the_same_bits_beside_a_training(found: dict[str, Any]) -> None:
    beside, alone = found["measured"]
    assert beside == alone


def test_blas_is_described_as_it_is_without_the_limit(found: dict[str, Any]) -> None:
    within, outside = found["described"]
    assert within == outside
    assert "2 threads" in within

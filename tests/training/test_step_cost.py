"""A training step makes a stated number of NumPy calls: at small batches they are what it costs.

Counted, not timed, in a process of its own, without the checks of shapes that the tests switch on.
"""

from __future__ import annotations

import pytest

from helpers.processes import answer

FORWARD_AND_BACKWARD = 2 + (3 + 3) + 1 + (3 + 3 + 2)
"""Of three layers: 2 calls gather the batch, 3 products and 3 sums lead forward, 1 weighs the
loss's gradient, 3 products for dW, 3 for db and 2 for dA lead backward."""

LIMITS = {
    # Two products are done in halves, a sigmoid is 4 calls and its derivative 3, the loss 13,
    # SGD 2 for each of two chunks of the parameters.
    "the article's, batch 10": FORWARD_AND_BACKWARD + 2 + 2 * (4 + 3) + 13 + 2 * 2,
    # A ReLU is 1 call and its derivative 2, the loss 12, Adam 10.
    "relu, Adam": FORWARD_AND_BACKWARD + 2 * (1 + 2) + 12 + 10,
    # Adam again for each of eleven chunks.
    "784-512-512-10, batch 128": FORWARD_AND_BACKWARD + 2 * (1 + 2) + 12 + 11 * 10,
}

COUNT = """
import json, sys
from collections import Counter
import numpy as np

plain = {name: getattr(np, name) for name in ("zeros", "ones", "empty", "eye")}
counted = Counter()


def bare(value):
    if isinstance(value, (tuple, list)):
        return type(value)(bare(each) for each in value)
    return value.view(np.ndarray) if isinstance(value, Counted) else value


def dressed(value):
    return value.view(Counted) if type(value) is np.ndarray else value


class Counted(np.ndarray):
    '''An array that counts each ufunc and each NumPy function that it takes part in.'''

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **settings):
        counted[ufunc.__name__] += 1
        into = {"out": bare(out)} if out else {}
        result = getattr(ufunc, method)(*bare(inputs), **into, **settings)
        return out[0] if out else dressed(result)

    def __array_function__(self, function, types, arguments, settings):
        counted[function.__name__] += 1
        into = {name: bare(value) for name, value in settings.items()}
        return dressed(function(*bare(arguments), **into))


def count_methods(frame, event, called):
    # Methods, such as take and sum, pass a subclass by: the interpreter reports them. Those that
    # NumPy calls itself are counted where NumPy was called; view is what this file adds.
    if event == "c_call" and not frame.f_code.co_filename.startswith(np.__path__[0]):
        if isinstance(getattr(called, "__self__", None), np.ndarray) and called.__name__ != "view":
            counted[called.__name__] += 1


for name, make in plain.items():
    setattr(np, name, lambda *given, make=make, **settings: make(*given, **settings).view(Counted))

from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS, SGD
from chainrule.core.threads import ThreadTeam
from chainrule.training.state import Progress
from chainrule.optim.schedules import Schedule
from chainrule.training.microbatches import Microbatches
from chainrule.training.options import Options
from chainrule.training.step import Step
from chainrule.training.train import never, run_epoch


def cost(widths, activation, loss, optimizer, batch):
    '''(calls, calls by name) of one step: what three steps make beyond what two make.'''
    rng = np.random.default_rng(0)
    network = Network.dense(widths, activation, rng=rng)
    examples = (
        rng.random((4 * batch, widths[0]), dtype=np.float32).view(Counted),
        rng.integers(0, widths[-1], 4 * batch).view(Counted),
    )
    step = Step(
        network,
        Microbatches(network, examples, ThreadTeam(1)),
        loss=LOSSES[loss].function,
        optimizer=OPTIMIZERS[optimizer](network.parameters.size),
        schedule=Schedule(1e-3),
        progress=Progress(),
        options=Options(),
    )
    assert all(type(W) is Counted for W in network.W)
    rows = rng.permutation(batch)
    run_epoch(step, iter([rows]), never)
    seen = []
    for steps in (2, 3):
        counted.clear()
        batches = iter([rows] * steps)
        sys.setprofile(count_methods)
        run_epoch(step, batches, never)
        sys.setprofile(None)
        seen.append(Counter(counted))
    seen[1].subtract(seen[0])
    return sum(seen[1].values()), +seen[1]


ARTICLE = [784, 128, 64, 10], "sigmoid", "sigmoid-cross-entropy", "sgd", 10
SMALL = [20, 16, 16, 10], "relu", "softmax-cross-entropy", "adam", 4
found = {
    "the article's, batch 10": cost(*ARTICLE),
    "relu, Adam": cost(*SMALL),
    "784-512-512-10, batch 128": cost([784, 512, 512, 10], *SMALL[1:-1], 128),
}


def planted(extra):
    '''What the article's step costs if its optimizer also does `extra`.'''
    class Wasteful(SGD):
        def _update(self, theta, g, learning_rate, part, scratch):
            extra(theta, g, scratch)
            super()._update(theta, g, learning_rate, part, scratch)

    OPTIMIZERS["sgd"] = Wasteful
    return cost(*ARTICLE)


def in_place(theta, g, scratch):
    g *= 1


found["planted: ufunc"] = planted(lambda theta, g, scratch: np.multiply(g, 1, out=g))
found["planted: operator"] = planted(in_place)
found["planted: temporary"] = planted(lambda theta, g, scratch: 1 * g)
found["planted: reduction"] = planted(lambda theta, g, scratch: np.add.reduce(g))
found["planted: function"] = planted(lambda theta, g, scratch: np.copyto(scratch, g))
found["planted: product"] = planted(lambda theta, g, scratch: np.dot(g, g))
found["planted: method"] = planted(lambda theta, g, scratch: g.argmax())
assert "jaxtyping" not in sys.modules
print(json.dumps(found))
"""

Costs = dict[str, tuple[int, dict[str, int]]]
"""name -> (calls of one step, calls by the name of the function)"""


@pytest.fixture(scope="module")
def costs() -> Costs:
    found: Costs = answer(COUNT, OPENBLAS_NUM_THREADS="1")
    return found


@pytest.mark.parametrize("work", LIMITS)
def test_a_step_makes_no_more_calls_than_stated(costs: Costs, work: str) -> None:
    calls, by_name = costs[work]
    assert calls <= LIMITS[work], by_name


KINDS = ["ufunc", "operator", "temporary", "reduction", "function", "product", "method"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_call_more_would_be_noticed(costs: Costs, kind: str) -> None:
    # The optimizer goes through two chunks, so it is two calls more.
    calls, by_name = costs[f"planted: {kind}"]
    assert calls == costs["the article's, batch 10"][0] + 2, by_name
    assert calls > LIMITS["the article's, batch 10"], "fewer calls than stated: lower the limit"

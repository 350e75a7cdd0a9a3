"""Copies and pickles: whatever is copied, the twin shares no memory and continues to the same bits.

The oracle is the same run or the same steps with nothing copied.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.core.arrays import Array
from chainrule.core.errors import DataError, DivergenceError, ModelFileError
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.quirks import ScalarBiasGradient
from chainrule.nn.committee import Committee
from chainrule.nn.dense import Dense
from chainrule.nn.losses import softmax_cross_entropy
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network, Workspace, Workspaces
from chainrule.nn.predictor import Predictor
from chainrule.optim.ema import EMA
from chainrule.optim.optimizers import FLUSH_EVERY, OPTIMIZERS, Adam, Optimizer
from chainrule.optim.schedules import SCHEDULES, Exponential, Schedule, WarmUp
from chainrule.training.compiled import CompiledSGD
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, train
from conftest import oracle


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
every_network = pytest.mark.parametrize("name", NETWORKS)


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
    for part in [*parts, *getattr(value, "__dict__", {}).values()]:
        yield from arrays(part, seen)


def share_memory(one: Any, other: Any) -> bool:
    mine, others = ([a for a in arrays(v, set()) if a.size] for v in (one, other))
    return any(np.may_share_memory(a, b) for a in mine for b in others)


def assert_small(value: Any, vectors: list[Array]) -> None:
    """A pickle with each number once, whatever scratch memory the object has."""
    held = sum(vector.nbytes for vector in vectors)
    assert len(pickle.dumps(value)) <= 1.01 * held + 2000


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
    logits = of.forward(X, workspace, np.random.default_rng(0))
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


def make_optimizer(name: str, parameters: Array) -> Optimizer:
    if name == "scalar bias":
        of = network()
        return ScalarBiasGradient(Adam(of.parameters.size), of)
    made = OPTIMIZERS[name.removeprefix("compiled ")](parameters.size, decayed=100)
    if name.startswith("compiled "):
        oracle("numba")
        made.compile()
    return made


def descend(optimizer: Optimizer, parameters: Array, steps: range) -> None:
    for step in steps:
        g = np.random.default_rng(step).standard_normal(parameters.size, np.float32)
        optimizer.step(parameters, g, 0.01)


@every_way
@pytest.mark.parametrize("steps", [0, 1, FLUSH_EVERY - 1])
@pytest.mark.parametrize("name", [*OPTIMIZERS, "compiled adam", "compiled adamw", "scalar bias"])
def test_a_copied_optimizer_continues_to_the_same_bits(
    name: str, steps: int, way: Callable[[Any], Any]
) -> None:
    start = network().parameters
    wanted, parameters = start.copy(), start.copy()
    descend(make_optimizer(name, start), wanted, range(steps + 5))
    original = make_optimizer(name, start)
    descend(original, parameters, range(steps))
    # The copy of a wrapper is as shallow as any: the optimizer within is the same.
    twin = copy.deepcopy(original) if way is copy.copy and name == "scalar bias" else way(original)
    assert not share_memory(twin, original)
    assert_small(original, [*original.state.values(), *([start] if name == "scalar bias" else [])])
    for each in (twin, original):
        end = parameters.copy()
        descend(each, end, range(steps, steps + 5))
        assert end.tobytes() == wanted.tobytes()
        assert each.steps == steps + 5


def make_schedule(name: str) -> Schedule:
    if name == "warm-up":
        return WarmUp(0.05, then=SCHEDULES["plateau"](0.05, 100), warm_up=5)
    return Exponential(0.01, 100) if name == "exponential" else SCHEDULES[name](0.05, 100)


@every_way
@pytest.mark.parametrize("name", [*SCHEDULES, "exponential", "warm-up"])
def test_a_copied_schedule_continues_at_the_same_rates(
    name: str, way: Callable[[Any], Any]
) -> None:
    def rates(schedule: Schedule, losses: list[float]) -> list[float]:
        for loss in losses:
            schedule.observe(loss)
        return [schedule(step) for step in range(100)]

    seen, coming = [0.5, 0.6, 0.6], [0.7, 0.7, 0.8, 0.8, 0.8]
    whole, original = make_schedule(name), make_schedule(name)
    wanted = rates(whole, seen), rates(whole, coming)
    rates(original, seen)
    twin = way(original)
    assert twin == original
    assert rates(twin, coming) == wanted[1]
    assert rates(original, []) == wanted[0]


@every_way
@pytest.mark.parametrize("cut", [3, 10, 17])
def test_a_run_resumes_from_copied_progress_to_the_same_bits(
    cut: int, way: Callable[[Any], Any]
) -> None:
    whole, _, _ = run(Progress())
    _, progress, _ = run(Progress(), stop=cut)
    twin = way(progress)
    assert twin.numbers() == progress.numbers()
    assert not share_memory(twin, progress)
    assert_small(progress, [*progress.arrays.values()])
    resumed, end, _ = run(twin)
    assert resumed.state.tobytes() == whole.state.tobytes()
    assert end.step == 20
    assert progress.step == cut


@every_way
def test_progress_copied_during_a_run_stays_as_it_was(way: Callable[[Any], Any]) -> None:
    whole, _, copies = run(Progress(), keep=way)
    assert [each.numbers()["optimizer_steps"] for each in copies] == [5, 10, 15, 20]
    for each in copies[:3]:
        assert run(each)[0].state.tobytes() == whole.state.tobytes()


def run(
    progress: Progress, *, stop: int = -1, keep: Callable[[Any], Any] = id
) -> tuple[Network, Progress, list[Any]]:
    """(network, progress, copies of it after each epoch) of a run that uses all of its arrays."""
    learner = network("batch norm")
    kept = []
    for _ in train(
        learner, (X, Y), rng=np.random.default_rng(4), epochs=4, batch_size=20, validation=(X, Y),
        patience=9, average=0.9, learning_rate=make_schedule("warm-up"), progress=progress,
        stop=lambda: progress.step == stop,
    ):  # fmt: skip
        kept.append(keep(progress))
    return learner, progress, kept


def exported() -> dict[str, Any]:
    """An instance of each class in `chainrule.__all__`, and of those that hold them."""
    images, labels = Examples(X, Y), (Y == 0).astype(int)
    return {
        "DataError": DataError("no images"),
        "Dataset": Dataset("d", images, Examples(X, labels), ("a", "b", "c"), (3, 4), "s", {}),
        "Dense": Dense(4, 3, "relu", batch_norm=True, dropout=0.5),
        "DivergenceError": DivergenceError("inf", step=3, layer=None, learning_rate=0.1),
        "Epoch": Epoch(1, 5, 0.5, None, None, 0.1, 2.0),
        "Examples": images,
        "ModelFileError": ModelFileError("no model"),
        "Network": trained(),
        "Predictor": Predictor(trained("all")),
        "Progress": run(Progress(), stop=7)[1],
        "Workspace": Workspace(trained(), 90),
        "Committee": Committee((trained(), trained("batch norm"))),
        "Model": Model(trained(), ("a", "b", "c"), (3, 4), 2.0, {"seed": 1}),
    }


def test_each_exported_class_is_among_those_copied_here() -> None:
    classes = {name for name in chainrule.__all__ if isinstance(getattr(chainrule, name), type)}
    assert classes <= exported().keys()


@pytest.mark.parametrize("name", chainrule.__all__)
def test_each_exported_name_can_be_pickled(name: str) -> None:
    value = getattr(chainrule, name)
    for way in WAYS.values():
        assert way(value) == value


@every_way
@pytest.mark.parametrize("name", exported())
def test_each_exported_object_survives(name: str, way: Callable[[Any], Any]) -> None:
    value = exported()[name]
    twin = way(value)
    assert type(twin) is type(value)
    mine, others = (list(arrays(each, set())) for each in (value, twin))
    if name != "Workspace":  # a new one, whose buffers are empty
        assert [a.tobytes() for a in mine] == [a.tobytes() for a in others]
    if name in {"Dense", "Epoch"}:
        assert twin == value
    if isinstance(value, Exception):
        assert (twin.args, vars(twin), str(twin)) == (value.args, vars(value), str(value))
    # A shallow copy of what nobody writes into holds the same arrays, as that of a tuple does.
    if way in (pickled, copy.deepcopy) or name in {"Network", "Progress"}:
        assert not share_memory(twin, value)


@every_way
@pytest.mark.parametrize("name", ["Predictor", "Committee", "Model"])
def test_a_copy_predicts_to_the_same_bits(name: str, way: Callable[[Any], Any]) -> None:
    value = exported()[name]
    predict = (lambda one: one(X)) if name == "Predictor" else (lambda one: one.predict_proba(X))
    assert predict(way(value)).tobytes() == predict(value).tobytes()


def test_members_of_a_copied_committee_learn() -> None:
    original = Model(Committee((trained(), trained("batch norm"))))
    for twin in (pickled(original), copy.deepcopy(original)):
        for member, wanted in zip(twin.members, original.members, strict=True):
            assert (
                learn(member, seed=3).state.tobytes()
                == learn(wanted.copy(), seed=3).state.tobytes()
            )


def test_a_divergence_keeps_its_notes_and_its_type() -> None:
    error = DivergenceError("inf at step 3", step=3, layer=2, learning_rate=0.1)
    error.add_note("in the second member")
    twin = pickled(error)
    assert (twin.step, twin.layer, twin.learning_rate) == (3, 2, 0.1)
    assert twin.__notes__ == ["in the second member"]


@every_way
@pytest.mark.parametrize("name", ["EMA", "Linear", "BatchNorm", "CompiledSGD"])
def test_what_works_in_the_memory_of_a_network_says_so(
    name: str, way: Callable[[Any], Any]
) -> None:
    of = network("batch norm" if name != "CompiledSGD" else "plain")
    if name == "CompiledSGD":
        oracle("numba")
        value: Any = CompiledSGD(of, loss="softmax-cross-entropy", label_smoothing=0, batch_size=5)
    elif name == "EMA":
        value = EMA(of.copy().state, of.state, 0.9)
    else:
        value = next(layer for layer in of.chain if type(layer).__name__ == name)
    with pytest.raises(TypeError, match=f"{name} works in the memory of a network.*copy the netw"):
        way(value)

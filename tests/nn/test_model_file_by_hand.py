"""Models made by hand in Python: each is refused before anything is written, or read back."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.core.errors import ModelFileError
from chainrule.nn.committee import Committee
from chainrule.nn.dense import Dense
from chainrule.nn.model_file import Model, check_saveable, load_model, save
from chainrule.nn.network import Network
from chainrule.nn.preprocessing import MNIST


def network(*layers: Dense, **options: Any) -> Network:
    made = Network(layers or (Dense(4, 3, "relu"), Dense(3, 2)), **options)
    for view in (*made.W, *made.b):
        view[...] = np.random.default_rng(0).normal(size=view.shape)
    return made


def changed(thing: Any, **values: Any) -> Any:
    """A copy with these values, whatever their types: nothing checks those outside of tests."""
    twin = copy.copy(thing)
    for name, value in values.items():
        object.__setattr__(twin, name, value)
    return twin


def with_layers(*layers: Dense) -> Network:
    """A network that says that it has these layers."""
    made = network(Dense(4, 2))
    made.layers = layers
    return made


def its_own() -> dict[str, Any]:
    table: dict[str, Any] = {}
    table["again"] = {"and": table}
    return table


PLAIN = Model(network(), ("a", "b"), (2, 2))
REFUSED: dict[str, Model] = {
    "nan in the summary": changed(PLAIN, summary={"loss": float("nan")}),
    "infinity deep in the summary": changed(PLAIN, summary={"a": [{"b": float("-inf")}]}),
    "a summary that holds itself": changed(PLAIN, summary=its_own()),
    "a number for a name": changed(PLAIN, summary={1: "one"}),
    "names of two kinds": changed(PLAIN, summary={"a": {1: 2, "b": 3}}),
    "half a character in the summary": changed(PLAIN, summary={"by": "\ud83d"}),
    "half a character for a name": changed(PLAIN, summary={"\udc80": 1}),
    "half a character in a class": changed(PLAIN, classes=("a", "\udcff")),
    "an array in the summary": changed(PLAIN, summary={"w": np.zeros(2)}),
    "one of NumPy's numbers": changed(PLAIN, summary={"accuracy": np.float32(0.5)}),
    "a set": changed(PLAIN, summary={"s": {1}}),
    "bytes": changed(PLAIN, summary={"s": b"x"}),
    "a number of 2,000 digits": changed(PLAIN, summary={"n": 10**2000}),
    "a class that is a number": changed(PLAIN, classes=("a", 1)),
    "a class that is nothing": changed(PLAIN, classes=("a", None)),
    "one class too few": changed(PLAIN, classes=("a",)),
    "NumPy's sides": changed(PLAIN, shape=(np.int64(2), np.int64(2))),
    "half pixels": changed(PLAIN, shape=(2.5, 2)),
    "sides of yes": changed(PLAIN, shape=(True, 4)),
    "another shape": changed(PLAIN, shape=(3, 2)),
    "three sides": changed(PLAIN, shape=(2, 2, 1)),
    "a scale that is nan": changed(PLAIN, pixel_scale=float("nan")),
    "a scale of nothing": changed(PLAIN, pixel_scale=0.0),
    "a scale that is yes": changed(PLAIN, pixel_scale=True),
    "a layer of yes": changed(
        PLAIN, network=with_layers(changed(Dense(4, 2, dropout=0.5), batch_norm=0))
    ),
    "NumPy's width": changed(PLAIN, network=with_layers(changed(Dense(4, 2), fan_in=np.int64(4)))),
    "half precision": changed(PLAIN, network=network(dtype=np.float16)),
    "a brightness beyond white": changed(PLAIN, preprocessing=changed(MNIST, ink=1.5)),
    "a frame out of order": changed(PLAIN, preprocessing=changed(MNIST, box=(9, 3, 20))),
    "centred on nothing": changed(PLAIN, preprocessing=changed(MNIST, centring="middle")),
    "half a pixel of box": changed(
        PLAIN, preprocessing=changed(MNIST, box=(1.5, 2, 3))
    ),
}  # fmt: skip
WRITTEN: dict[str, Model] = {
    "a summary of every kind": changed(
        PLAIN, summary={"a": [1, 2.5, None, True, "\x7f\u202e"], "": {"": {}}, "n": -(2**900)}
    ),
    "classes of odd names": changed(PLAIN, classes=("", "\x00\x1b[31m")),
    "two classes of one name": changed(PLAIN, classes=("a", "a")),
    "no classes and no shape": Model(network()),
    "a tiny scale": changed(PLAIN, pixel_scale=5e-324),
    "one unit": Model(network(Dense(1, 1)), ("only",), (1, 1)),
    "every layer there is": Model(
        network(Dense(2, 3, "tanh", True, 0.25, 0.5), Dense(3, 2, "relu"), dtype=np.float64)
    ),
    "a committee of two kinds": Model(
        Committee((network(), network(Dense(4, 2, "sigmoid"), link="sigmoid")))
    ),
    "a form of its own": changed(
        PLAIN, preprocessing=changed(MNIST, background=None, ink=0, box=(0, 0, 0), white=1)
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_in_one_sentence_before_anything_is_written(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "model.safetensors"
    save(PLAIN, path)
    before = path.read_bytes()
    for write in (save, check_saveable):
        with pytest.raises(ModelFileError) as refusal:
            write(REFUSED[what], path)
        assert str(path) in str(refusal.value)
        assert len(str(refusal.value)) < 400
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def described(model: Model) -> Any:
    """All of a model but its numbers."""
    layers = [[(m.layers, m.link, m.dtype) for m in model.members]]
    return (layers, model.classes, model.shape, model.pixel_scale, model.summary,
            model.preprocessing)  # fmt: skip


@pytest.mark.parametrize("what", WRITTEN)
def test_it_is_written_and_read_back_the_same(tmp_path: Path, what: str) -> None:
    model = WRITTEN[what]
    found = load_model(save(model, tmp_path / "model.safetensors"))
    assert described(found) == described(model)
    for one, other in zip(found.members, model.members, strict=True):
        assert one.state.tobytes() == other.state.tobytes()


SUMMARIES = [None, 0, "a", "\ud800", float("nan"), [1], {"a": 1}, {1: 1}, 10**500, np.int8(1), ()]
CLASSES = [(), ("a", "b"), ("a", 1), ("a", "\udfff"), ("a", "b", "c")]
SCALES = [1, 0.5, -1.0, float("inf"), "1", None]
SHAPES = [(2, 2), (0, 0), (1, 4), (0, 4), (2.0, 2.0), (-2, -2)]


def test_of_all_combinations_of_odd_values_none_is_written_that_is_not_read(
    tmp_path: Path,
) -> None:
    path, written = tmp_path / "model.safetensors", 0
    for summary, classes, scale, shape in itertools.product(SUMMARIES, CLASSES, SCALES, SHAPES):
        model = changed(
            PLAIN, classes=classes, shape=shape, pixel_scale=scale, summary={"it": summary}
        )
        try:
            save(model, path)
        except ModelFileError:
            assert not path.exists()
            continue
        found = load_model(path)
        assert json.dumps([found.summary, found.classes, found.shape]) == json.dumps(
            [{"it": summary}, classes, shape]
        )
        assert found.pixel_scale == scale
        path.unlink()
        written += 1
    assert written == 6 * 2 * 2 * 3

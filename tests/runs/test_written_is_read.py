"""Whatever is written is read: texts of every kind, settings, limits at N and N + 1."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from chainrule.core import tensor_file
from chainrule.core.errors import ConfigError, ModelFileError
from chainrule.core.fingerprint import fingerprint
from chainrule.core.tensor_file import read_sealed, write_sealed
from chainrule.data.dataset import MOST_CLASSES, Dataset, Examples
from chainrule.experiments import settings as written
from chainrule.experiments.settings import RULES, TYPES, Settings, checked, read_tables, read_toml
from chainrule.monitor import events
from chainrule.monitor.events import FILE, EventLog, read_events
from chainrule.nn.model_file import Model, load_model, save
from chainrule.nn.network import Network
from chainrule.runs.files import as_config, read_history, read_report, write_history, write_report
from chainrule.runs.origin import Origin
from chainrule.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from chainrule.training.state import Progress
from chainrule.training.train import Epoch

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
CONTROL = "".join(map(chr, (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0xFEFF)))
NAMES = st.lists(ANY_TEXT | st.text(CONTROL + '"\\a', max_size=20), min_size=2, max_size=12)
PATIENT = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def values(name: str) -> st.SearchStrategy[Any]:
    """What the rule of a setting allows."""
    rule, kind = RULES[name], TYPES[name]
    if kind is bool:
        return st.booleans()
    if rule.choices:
        words = st.sampled_from(sorted(rule.choices()))
        return words if kind is str else st.lists(words, min_size=1, max_size=3).map(tuple)
    if kind is float:
        return st.floats(rule.low, min(rule.high, 1e308))
    whole = st.integers(int(rule.low), int(min(rule.high, 2**63 - 1)))
    return whole if kind is int else st.lists(whole, min_size=2, max_size=20).map(tuple)


SETTINGS = st.fixed_dictionaries({}, optional={name: values(name) for name in RULES})


EXAMPLES = Examples(np.zeros((2, 4), np.float32), np.arange(2))
DATA = Dataset(
    "own", EXAMPLES, EXAMPLES, ("a", "b"), (2, 2), "a test", {"train_images": "0" * 64}
)  # fmt: skip
LIMIT = written.LARGEST_CONFIG


def config(*names: str) -> bytes:
    """A run's configuration with these classes."""
    return as_config(Settings(), DATA, recipe="custom", origin=Origin(classes=names))


@PATIENT
@given(names=NAMES, source=ANY_TEXT, recipe=ANY_TEXT, chosen=SETTINGS)
def test_a_configuration(tmp_path: Path, names, source, recipe, chosen) -> None:
    assume("\0" not in source)
    try:
        these = Settings(**chosen)
    except ConfigError:
        assume(False)
    origin = Origin("/" + source, classes=tuple(names))
    path = tmp_path / "config.toml"
    path.write_bytes(as_config(these, DATA, recipe=recipe, origin=origin))
    found = read_tables(path)
    assert Origin.from_config(found) == Origin(str(Path("/" + source)), "", tuple(names))
    assert found["run"]["recipe"] == recipe
    assert Settings(**{name: checked(name, value) for name, value in read_toml(path).items()}) == (
        these
    )


@pytest.mark.parametrize("character", ["a", "\x7f", "\x1b", "ü", "😀"])
def test_a_configuration_at_its_limit_and_one_byte_beyond(tmp_path: Path, character: str) -> None:
    path = tmp_path / "config.toml"
    each = len(config(character, "b")) - len(config("", "b"))
    many, rest = divmod(LIMIT - len(config("", "b")), each)
    name = character * many + "x" * rest
    path.write_bytes(config(name, "b"))
    assert path.stat().st_size == LIMIT
    assert Origin.from_config(read_tables(path)).classes == (name, "b")
    with pytest.raises(ConfigError, match="longer than 8,192 bytes"):
        config(name + "x", "b")
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ConfigError, match="longer than 8,192 bytes"):
        read_tables(path)


@PATIENT
@given(names=NAMES, summary=st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers()))
def test_a_model(tmp_path: Path, names, summary) -> None:
    network = Network.dense([2, len(names)], rng=np.random.default_rng(0))
    path = save(Model(network, tuple(names), (1, 2), summary=summary), tmp_path / "model")
    assert (load_model(path).classes, load_model(path).summary) == (tuple(names), summary)


@pytest.mark.parametrize("number", [200, MOST_CLASSES])
def test_a_model_and_a_log_of_many_long_names(tmp_path: Path, number: int) -> None:
    names = tuple(f"{k}, \x7f\x1b]0; {'long ' * 50}" for k in range(number))
    network = Network.dense([2, number], rng=np.random.default_rng(0))
    assert load_model(save(Model(network, names, (1, 2)), tmp_path / "model")).classes == names
    log = EventLog()
    log.add("begin", classes=names)
    log.write(tmp_path)
    assert tuple(read_events(tmp_path / FILE)[0]["classes"]) == names


def test_as_many_tensors_as_are_read_and_one_more(tmp_path: Path) -> None:
    path = tmp_path / "many"
    tensors = {f"{number}": np.zeros(1, np.uint8) for number in range(tensor_file.MOST_TENSORS)}
    write_sealed(path, tensors, {"format": "x-1"})
    assert len(read_sealed(path, format="x-1")[0]) == tensor_file.MOST_TENSORS
    with pytest.raises(ModelFileError, match="4,097 tensors"):
        write_sealed(path, tensors | {"more": np.zeros(1, np.uint8)}, {"format": "x-1"})


@pytest.mark.parametrize("limit", ["LARGEST_FILE", "LARGEST_HEADER"])
@pytest.mark.parametrize("character", ["a", '"', "\x7f", "ü", "😀"])
def test_the_longest_sealed_file_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, character: str
) -> None:
    monkeypatch.setattr(tensor_file, limit, 3000)
    path, tensors, length = tmp_path / "long", {"t": np.zeros(50)}, 0
    for length in range(3000):
        try:
            tensor_file.check_size(path, tensors, {"format": "x-1", "text": character * length})
        except ModelFileError:
            break
    assert length > 100
    write_sealed(path, tensors, {"format": "x-1", "text": character * (length - 1)})
    assert read_sealed(path, format="x-1")[1]["text"] == character * (length - 1)
    with pytest.raises(ModelFileError, match="3,000 are read"):
        write_sealed(path, tensors, {"format": "x-1", "text": character * length})


def test_a_file_of_events_at_its_limit_and_one_byte_beyond(tmp_path: Path, monkeypatch) -> None:
    log = EventLog()
    log.add("begin", text="x")
    log.write(tmp_path)
    size = (tmp_path / FILE).stat().st_size
    monkeypatch.setattr(events, "LARGEST_FILE", size)
    log.write(tmp_path)
    assert len(read_events(tmp_path / FILE)) == 1
    longer = EventLog()
    longer.add("begin", text="xx")
    with pytest.raises(OSError, match=f"longer than {size:,} bytes"):
        longer.write(tmp_path)
    assert len(read_events(tmp_path / FILE)) == 1


LOSSES = st.floats(0, 1e300)


@PATIENT
@example(10_000, (1 / 3, 2 / 3, 1e-300), 1e-12 / 3, 1e8 / 3)
@given(
    number=st.integers(1, 5),
    losses=st.tuples(LOSSES, LOSSES, st.none() | LOSSES | st.sampled_from([np.inf, np.nan])),
    rate=st.floats(0, 1e12),
    seconds=st.floats(0, 1e8),
)
def test_a_history_of_ten_thousand_epochs(tmp_path_factory, number, losses, rate, seconds) -> None:
    folder = tmp_path_factory.mktemp("epochs")
    history = [Epoch(k, 7 * k, *losses, None, rate, seconds) for k in range(1, number + 1)]
    records = [asdict(epoch) for epoch in history]
    write_history(folder, history)
    assert json.dumps(read_history(folder)) == json.dumps(records)
    progress = Progress(epoch=number, step=7 * number, arrays={"parameters": np.ones(3)})
    texts = fingerprint(1, compiled=False)
    path = write_checkpoint(folder, Checkpoint(progress, records, asdict(Settings()), {}, texts))
    found = read_checkpoint(path)
    assert json.dumps(found.history) == json.dumps(records)
    assert found.numerics == texts
    assert {each.name for each in fields(Settings)} == found.settings.keys()


@PATIENT
@given(
    report=st.dictionaries(
        ANY_TEXT.filter(lambda name: name != "format"), ANY_TEXT | st.floats() | st.none()
    )
)
def test_a_report(tmp_path: Path, report) -> None:
    write_report(tmp_path, report)
    assert json.dumps(read_report(tmp_path)) == json.dumps(report)

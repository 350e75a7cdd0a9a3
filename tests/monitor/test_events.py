"""The event log keeps a bounded, even part of what happened, and gives it back from a file."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from chainrule.monitor import events as module
from chainrule.monitor.events import FILE, KEPT, LARGEST_FILE, EventLog, read_events, until


def told(event_log: EventLog, after: int = 0) -> list[dict[str, Any]]:
    return [json.loads(event.line) for event in event_log.after(after)[0]]


def test_events_come_in_their_order_and_only_those_that_are_new() -> None:
    event_log = EventLog()
    event_log.add("begin", run="mine")
    event_log.add("observation", step=1)
    events, closed = event_log.after(1)
    assert [event.number for event in events] == [2]
    assert not closed
    event_log.close()
    assert event_log.after(2) == ([], True)
    assert told(event_log) == [
        {"run": "mine", "kind": "begin"},
        {"step": 1, "kind": "observation"},
    ]


@pytest.mark.parametrize("count", [1, 599, 600, 601, 1200, 1201, 5000])
def test_of_many_observations_an_even_part_is_kept_and_the_newest(count: int) -> None:
    event_log = EventLog()
    event_log.add("begin")
    for step in range(count):
        event_log.add("observation", step=step)
    steps = [event["step"] for event in told(event_log)[1:]]
    assert steps[0] == 0
    assert steps[-1] == count - 1
    assert len(steps) <= KEPT["observation"] + 1
    assert len(steps) >= min(count, KEPT["observation"] // 2)
    gaps = [after - before for before, after in pairwise(steps[:-1])]
    assert len(set(gaps)) <= 1


def test_what_was_told_once_is_not_told_again_when_room_is_made() -> None:
    event_log, last, seen = EventLog(), 0, []
    for step in range(3000):
        event_log.add("observation", step=step)
        if step % 7 == 0:
            events, _ = event_log.after(last)
            last = events[-1].number
            seen += [json.loads(event.line)["step"] for event in events]
    assert seen == sorted(set(seen))


def test_a_kind_that_is_rare_is_never_thinned_by_one_that_is_not() -> None:
    event_log = EventLog()
    for step in range(2000):
        event_log.add("observation", step=step)
        if step % 100 == 0:
            event_log.add("image", index=step)
    assert sum(event["kind"] == "image" for event in told(event_log)) == 20


def test_what_json_cannot_hold_becomes_null() -> None:
    event_log = EventLog()
    event_log.add("observation", loss=float("nan"), layers=[[float("inf"), 1.0]], more={"x": -0.5})
    assert told(event_log)[0] == {
        "loss": None, "layers": [[None, 1.0]], "more": {"x": -0.5}, "kind": "observation",
    }  # fmt: skip


def test_a_reader_in_another_thread_misses_nothing() -> None:
    event_log, seen = EventLog(), []

    def read() -> None:
        last, closed = 0, False
        while not closed:
            events, closed = event_log.after(last)
            last = events[-1].number if events else last
            closed = closed and not events
            seen.extend(event.number for event in events)

    reader = Thread(target=read)
    reader.start()
    for number in range(5000):
        event_log.add("image", index=number)
    event_log.close()
    reader.join(timeout=30)
    assert seen == list(range(1, 5001))


def test_the_file_gives_the_events_back(tmp_path: Path) -> None:
    event_log = EventLog()
    event_log.add("begin", classes=["zero", "ü"])
    event_log.add("observation", step=3)
    event_log.write(tmp_path)
    assert read_events(tmp_path / FILE) == told(event_log)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "line 1: no JSON"),
        (b'{"kind": "begin"}\nnonsense\n', "line 2: no JSON"),
        (b'{"kind": "x", "loss": NaN}\n', "line 1: no JSON"),
        (b"[1]\n", "line 1: no event with its kind"),
        (b'{"step": 1}\n', "line 1: no event with its kind"),
        (b'{"kind": 7}\n', "line 1: no event with its kind"),
        (b"\xff\xfe\n", "line 1: no JSON"),
        (b"[" * 100_000 + b"\n", "line 1: no JSON"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name_and_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / FILE
    path.write_bytes(content)
    with pytest.raises(ValueError, match=FILE) as caught:
        read_events(path)
    assert said in str(caught.value)


def test_a_file_beyond_all_measure_is_not_read(tmp_path: Path, monkeypatch: Any) -> None:
    assert LARGEST_FILE == 32 * 2**20
    monkeypatch.setattr(module, "LARGEST_FILE", 1000)
    path = tmp_path / FILE
    path.write_bytes(b'{"kind": "x"}\n' * 100)
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        read_events(path)


def test_of_a_run_that_goes_on_from_a_step_what_came_later_is_forgotten() -> None:
    events: list[dict[str, Any]] = [
        {"kind": "begin"},
        {"kind": "image", "index": 4},
        {"kind": "observation", "step": 10},
        {"kind": "observation", "step": 11},
        {"kind": "observation", "step": "eleven"},
        {"kind": "end", "step": 3},
    ]
    assert until(events, 10) == events[1:3]

"""Event log of a training run, bounded to what a page can replay.

An event is a JSON object with its kind. Observations come throughout training: of a long run every
second, every fourth, every eighth ... is kept, and always the newest, so the log covers the whole
run evenly.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from chainrule.core.files import read_own, write_atomically
from chainrule.core.formats import refuse_newer
from chainrule.monitor.event_values import wrong

FILE = "watch.jsonl"
BY_HAND = "by_hand.jsonl"
"""File in the run folder with the changes by hand, which config.toml alone does not reproduce."""
KEPT = {"observation": 600, "weights": 60, "epoch": 2000, "by_hand": 1000}
"""Most events kept of a kind, besides the newest; other kinds are few."""

LARGEST_FILE = 32 * 2**20
FORMAT = 1
"""Of an event; a later version would say so in it."""


@dataclass(frozen=True)
class Event:
    """Event, ready to be sent."""

    number: int
    """1, 2, 3, ... in order of occurrence."""
    kind: str
    line: str
    """A JSON object, in one line."""


@dataclass
class _Kind:
    """Number of events of this kind; one in `every` is kept."""

    count: int = 0
    every: int = 1

    @property
    def newest_stays(self) -> bool:
        return (self.count - 1) % self.every == 0


class EventLog:
    """Event log of a run, with one writing thread and many readers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._events: list[Event] = []
        self._kinds: dict[str, _Kind] = {}
        self._last = 0
        self._closed = False

    def add(self, kind: str, /, **values: Any) -> None:
        """Appends an event; non-finite numbers become null."""
        line = json.dumps(finite(values) | {"kind": kind}, separators=(",", ":"))
        with self._lock:
            self._last += 1
            seen = self._kinds.setdefault(kind, _Kind())
            if kind in KEPT:
                self._make_room(kind, seen)
            seen.count += 1
            self._events.append(Event(self._last, kind, line))

    def _make_room(self, kind: str, seen: _Kind) -> None:
        mine = [event for event in self._events if event.kind == kind]
        dropped: list[Event] = []
        if mine and not seen.newest_stays:
            dropped = [mine.pop()]
        if len(mine) >= KEPT[kind]:
            seen.every *= 2
            dropped += mine[1::2]
        if dropped:
            gone = {event.number for event in dropped}
            self._events = [event for event in self._events if event.number not in gone]

    def after(self, number: int) -> tuple[list[Event], bool]:
        """(events after that number, whether the log is closed)."""
        with self._lock:
            if number >= self._last:
                return [], self._closed
            return [event for event in self._events if event.number > number], self._closed

    def close(self) -> None:
        """Closes the log: no event will follow."""
        with self._lock:
            self._closed = True

    def write(self, folder: Path) -> None:
        """Writes watch.jsonl into the run's folder, one event a line."""
        events, _ = self.after(0)
        write_lines(folder / FILE, (event.line for event in events))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes a file of events; OSError if it cannot be written, or would be too long to be read."""
    content = "".join(line + "\n" for line in lines).encode()
    if len(content) > LARGEST_FILE:
        raise OSError(errno.EFBIG, f"longer than {LARGEST_FILE:,} bytes", str(path))
    write_atomically(path, content)


def read_events(path: Path) -> list[dict[str, Any]]:
    """Reads the events of a file. Raises ValueError, naming the file, for anything else in it."""
    try:
        raw = read_own(path, LARGEST_FILE, follow_links=False)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    events = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            event = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: no JSON ({error}); remove the file") from None
        if not isinstance(event, dict) or not isinstance(event.get("kind"), str):
            raise ValueError(f"{path}, line {number}: no event with its kind; remove the file")
        refuse_newer(path, event.get("format"), FORMAT)
        for what in wrong(event):
            raise ValueError(f"{path}, line {number}: {what}; remove the file")
        events.append(event)
    return events


def until(events: Iterable[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    """Events of the steps up to this one, without those that begin and end the run."""
    return [
        event for event in events if event["kind"] not in ("begin", "end") and _step(event) <= step
    ]


def _step(event: dict[str, Any]) -> int | float:
    step = event.get("step", 0)
    return step if isinstance(step, int | float) else float("inf")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def finite(value: Any) -> Any:
    """The value with None for each number that JSON cannot hold."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value

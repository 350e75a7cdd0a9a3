"""A disk that fails, and a disk whose power is cut, in place of the real one behind `files`."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import chainrule.core.files

OPERATIONS = ("open", "write", "fsync", "close", "replace", "unlink", "mkdir")


def installed(monkeypatch: pytest.MonkeyPatch, disk: Any) -> Any:
    """The disk, from now on that of `chainrule.core.files`."""
    monkeypatch.setattr(chainrule.core.files, "os", disk)
    return disk


@dataclass
class FailingDisk:
    """The real `os`, whose n-th operation fails, and all after it if `for_ever`."""

    fails_at: int = 10**9
    error: int = errno.EIO
    """An errno; 0: a write takes half of what it is given."""
    for_ever: bool = False
    calls: int = 0
    failed: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._watched(name, real) if name in OPERATIONS else real

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls == self.fails_at or (self.for_ever and self.calls > self.fails_at):
                self.failed.append(name)
                if self.error:
                    if name == "close":
                        real(*arguments)  # a failed close lets go all the same
                    raise OSError(self.error, os.strerror(self.error))
                if name == "write":
                    descriptor, data = arguments
                    return real(descriptor, data[: len(data) // 2])
            return real(*arguments)

        return operation


@dataclass
class RecordingDisk:
    """The real `os`, and a diary of all that changes a disk below `root`."""

    root: Path
    diary: list[tuple[Any, ...]] = field(default_factory=list)
    descriptors: dict[int, Path] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        descriptor = os.open(path, flags, mode)
        self.descriptors[descriptor] = Path(path)
        if flags & os.O_CREAT:
            self.diary.append(("create", Path(path)))
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        written = os.write(descriptor, data)
        self.diary.append(("write", self.descriptors[descriptor], bytes(data[:written])))
        return written

    def fsync(self, descriptor: int) -> None:
        path = self.descriptors[descriptor]
        self.diary.append(("sync folder" if path.is_dir() else "sync", path))
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        del self.descriptors[descriptor]
        os.close(descriptor)

    def replace(self, old: Any, new: Any) -> None:
        self.diary.append(("rename", Path(old), Path(new)))
        os.replace(old, new)

    def unlink(self, path: Any) -> None:
        os.unlink(path)
        self.diary.append(("unlink", Path(path)))

    def mkdir(self, path: Any) -> None:
        os.mkdir(path)
        self.diary.append(("mkdir", Path(path)))


@dataclass
class File:
    """A file on the disk: what has reached it for sure, and what may have."""

    synced: bytes = b""
    written: bytes = b""

    def remains(self) -> set[bytes]:
        """What a power cut may leave: of what was not synced any part, or zeros in its place."""
        if self.written == self.synced:
            return {self.synced}
        new = self.written[len(self.synced) :]
        parts = {new[: len(new) * part // 64] for part in range(65)}
        parts |= {part + bytes(len(new) - len(part)) for part in parts}
        return {self.synced + part for part in parts}


FOLDER = File()
"""Stands for a folder among the entries."""

Entries = dict[Path, File]


def after_power_cuts(
    before: dict[Path, bytes], diary: list[tuple[Any, ...]]
) -> Iterator[dict[Path, bytes | None]]:
    """Every state that a disk may be in if the power is cut after the diary: path -> content.

    None stands for a folder. Names are kept by folders: a change of names that was not synced may
    be there or not, each on its own, in their order; content that was not synced may be there in
    part. A folder that is not there has nothing in it.
    """
    durable: Entries = {path: File(content, content) for path, content in before.items()}
    files = dict(durable)
    pending: list[tuple[Path, Callable[[Entries], None]]] = []
    for what, path, *more in diary:
        if what == "create":
            files[path] = file = File()
            pending.append((path.parent, _link(path, file)))
        elif what == "mkdir":
            pending.append((path.parent, _link(path, FOLDER)))
        elif what == "write":
            files[path].written += more[0]
        elif what == "sync":
            files[path].synced = files[path].written
        elif what == "rename":
            files[more[0]] = file = files.pop(path)
            pending.append((path.parent, _move(path, more[0], file)))
        elif what == "unlink":
            files.pop(path, None)
            pending.append((path.parent, _unlink(path)))
        elif what == "sync folder":
            for folder, change in pending:
                if folder == path:
                    change(durable)
            pending = [entry for entry in pending if entry[0] != path]
    for kept in itertools.product((False, True), repeat=len(pending)):
        entries = dict(durable)
        for (_, change), there in zip(pending, kept, strict=True):
            if there:
                change(entries)
        yield from _contents(entries, before)


def _contents(entries: Entries, before: dict[Path, bytes]) -> Iterator[dict[Path, bytes | None]]:
    folders = {path for path, file in entries.items() if file is FOLDER}
    folders |= {path.parent for path in before}
    there = {
        path: file
        for path, file in entries.items()
        if file is not FOLDER and path.parent in folders
    }
    for contents in itertools.product(*(sorted(file.remains()) for file in there.values())):
        yield dict.fromkeys(folders) | dict(zip(there, contents, strict=True))


def _link(path: Path, file: File) -> Callable[[Entries], None]:
    return lambda entries: entries.update({path: file})


def _unlink(path: Path) -> Callable[[Entries], None]:
    def change(entries: Entries) -> None:
        entries.pop(path, None)

    return change


def _move(old: Path, new: Path, file: File) -> Callable[[Entries], None]:
    def change(entries: Entries) -> None:
        entries.pop(old, None)
        entries[new] = file

    return change


def laid_out(state: dict[Path, bytes | None], source: Path, target: Path) -> None:
    """Writes a state of `source` into the empty folder `target`."""
    for path, content in sorted(state.items(), key=lambda item: (item[1] is not None, item[0])):
        place = target / path.relative_to(source)
        if content is None:
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.write_bytes(content)

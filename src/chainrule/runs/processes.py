"""Child processes running our own commands, a few in parallel, terminated with the parent."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Thread

from chainrule.core.parent import start

LOOK = 0.05
"""Seconds between two polls of the processes."""


@dataclass(frozen=True)
class Task:
    """Task: a command, and its name for people."""

    name: str
    arguments: tuple[str, ...]
    """Arguments, such as ("train", "--recipe", "fast")."""


@dataclass(frozen=True)
class Ending:
    """Result of a process that has ended."""

    code: int
    out: str
    """Its stdout."""
    complaint: str
    """The last line of its stderr."""


class Child:
    """Running command; its stderr is passed on line by line, prefixed with its name."""

    def __init__(self, task: Task, say: Callable[[str], None]) -> None:
        self.task = task
        self.complaint = ""
        self._out = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        # A session of its own: Ctrl-C reaches it through us, once; a second signal would kill it.
        try:
            self.process = start(
                "chainrule", *task.arguments, stdout=self._out, stderr=subprocess.PIPE, session=True
            )
        except OSError:
            self._out.close()
            raise
        self._ear = Thread(target=self._listen, args=(say,), daemon=True)
        self._ear.start()

    def _listen(self, say: Callable[[str], None]) -> None:
        # To the end, whatever becomes of those who listen here: a pipe that no one reads would
        # stop the process.
        for line in self.process.stderr or ():
            if line.strip():
                self.complaint = line.strip()
                with suppress(OSError):
                    say(f"{self.task.name}: {line.rstrip()}")

    def ending(self) -> Ending:
        """Waits for its end."""
        code = self.process.wait()
        self._ear.join()
        for pipe in (self.process.stdin, self.process.stderr):
            if pipe:
                pipe.close()
        with self._out:
            self._out.seek(0)
            return Ending(code, self._out.read(), self.complaint)


def run_all(
    tasks: Sequence[Task], *, jobs: int, stop: Callable[[], bool], say: Callable[[str], None]
) -> dict[str, Ending]:
    """Runs the commands, `jobs` at a time; name -> result, for those that were started.

    Once one fails, or `stop` returns True, no other is started, and the running ones get SIGTERM,
    on which training saves itself; likewise if an exception leaves this call.
    """
    waiting, running, endings = list(tasks), list[Child](), dict[str, Ending]()
    try:
        asked = False
        while running or (waiting and not asked):
            if not asked and (stop() or any(ending.code for ending in endings.values())):
                asked = True
                for child in running:
                    child.process.terminate()
            while waiting and not asked and len(running) < jobs:
                running.append(Child(waiting.pop(0), say))
            time.sleep(LOOK)
            for child in [child for child in running if child.process.poll() is not None]:
                running.remove(child)
                endings[child.task.name] = child.ending()
    finally:
        for child in running:
            child.process.terminate()
        for child in running:
            child.ending()
    return endings

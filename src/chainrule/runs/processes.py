"""Processes of our own commands, a few side by side, asked to end when this one is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Thread

LOOK = 0.05
"""Seconds between two looks at the processes."""


@dataclass(frozen=True)
class Task:
    """One command, and its name for people."""

    name: str
    arguments: tuple[str, ...]
    """Such as ("train", "--recipe", "fast")."""


@dataclass(frozen=True)
class Ending:
    """How a process ended."""

    code: int
    out: str
    """What it printed."""
    complaint: str
    """The last line that it wrote to stderr."""


class Child:
    """A command that runs; what it says on stderr is passed on line by line, its name first."""

    def __init__(self, task: Task, say: Callable[[str], None]) -> None:
        self.task = task
        self.complaint = ""
        self._out = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        # -P: a file in the user's folder must not take the place of a module. A session of its
        # own: Ctrl-C reaches it through us, once; the second signal would kill it.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chainrule", *task.arguments],
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=subprocess.PIPE,
            encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
        self._ear = Thread(target=self._listen, args=(say,), daemon=True)
        self._ear.start()

    def _listen(self, say: Callable[[str], None]) -> None:
        for line in self.process.stderr or ():
            if line.strip():
                self.complaint = line.strip()
                say(f"{self.task.name}: {line.rstrip()}")

    def ending(self) -> Ending:
        """Waits for its end."""
        code = self.process.wait()
        self._ear.join()
        if self.process.stderr:
            self.process.stderr.close()
        with self._out:
            self._out.seek(0)
            return Ending(code, self._out.read(), self.complaint)


def run_all(
    tasks: Sequence[Task], *, jobs: int, stop: Callable[[], bool], say: Callable[[str], None]
) -> dict[str, Ending]:
    """Runs the commands, `jobs` at a time; name -> how it ended, for those that were begun.

    Once one of them fails, or `stop` says so, no other is begun, and those that run get SIGTERM:
    training saves itself then. So they do if this call is left by an exception.
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

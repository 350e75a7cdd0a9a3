"""Interleaved contenders, A B C, A B C, ..., so that the machine's changes of speed affect all."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.speed.contender import environment
from benchmarks.speed.work import Work

REST = 0.1
"""Seconds between two turns: thread pools that spin for work give their core back."""


class Contender:
    """A peer in its own process, with a number of threads."""

    def __init__(self, peer: str, threads: int) -> None:
        self.peer = peer
        self.threads = threads
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.contender", peer, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(threads),
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to one request; {"failed": why} also if the process died."""
        if not (self.process.stdin and self.process.stdout):
            raise AssertionError("started without pipes")
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"failed": f"its process ended with code {self.process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


@dataclass
class Measured:
    """What one contender showed at one piece of work."""

    peer: str
    threads: int
    seconds: list[float] = field(default_factory=list)
    """One figure a turn, after the warm-up."""
    accuracy: float = float("nan")
    failed: str = ""
    """Why there are no figures."""


class Contenders(dict[tuple[str, int], Contender]):
    """The contenders by (peer, threads), each started when first asked for."""

    def __missing__(self, entry: tuple[str, int]) -> Contender:
        self[entry] = Contender(*entry)
        return self[entry]

    def __enter__(self) -> Contenders:
        return self

    def __exit__(self, *failure: object) -> None:
        for contender in self.values():
            contender.close()


def take_turns(
    work: Work,
    entries: Sequence[tuple[str, int]],
    *,
    contenders: Contenders,
    folder: Path,
    repeats: int,
    say: Callable[[str], None],
) -> list[Measured]:
    """Runs each (peer, threads) once to warm up and `repeats` times in turn, all side by side."""
    pairs = [(contenders[entry], Measured(*entry)) for entry in entries]
    for contender, measured in pairs:
        measured.failed = contender.ask(prepare=work.name, folder=str(folder)).get("failed", "")
        if measured.failed:
            say(f"{work.name}: {measured.peer} skipped: {measured.failed}")
    present = [pair for pair in pairs if not pair[1].failed]
    for turn in range(repeats):
        for contender, measured in present:
            time.sleep(REST)
            answer = contender.ask(run=True)
            if "failed" in answer:
                measured.failed = answer["failed"]
            else:
                measured.seconds.append(answer["seconds"])
        say(f"{work.name}: turn {turn + 1} of {repeats}")
    for contender, measured in present:
        measured.accuracy = contender.ask(accuracy=True).get("accuracy", float("nan"))
    return [measured for _, measured in pairs]

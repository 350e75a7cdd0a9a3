"""The service beside hostile clients, on this machine: python -m stress.hostile [--short].

What an honest client notices beside each kind of hostile one, what it takes to lock others out,
what one request of each kind costs, what a connection holds, how long an ending takes.
"""

from __future__ import annotations

import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stress.hostile.bodies import AHEAD, BODY_BEGUN, HEAD_BEGUN, KINDS
from stress.hostile.clients import FLOOD, HOLDERS, OTHERS
from stress.hostile.service import memory, one_request, processor_seconds, service
from stress.table import Row, at_most, run

HOSTILE = [
    *OTHERS,
    "1,024 rows",
    "JSON: 660 images",
    "JSON: empty lists",
    "64 pictures of dots",
    "a photo of 4 million pixels",
    "metadata: EXIF segments",
    "form: near boundaries",
]
AT_ONCE = 24
MOST_TIMES = 3.0
"""How many times as long an honest client may wait beside hostile ones."""
HOLDING = 600
"""Clients that hold connections: more than twice as many as the service has."""
MOST_SECONDS, MOST_MIB = 10.0, 256.0
"""One request: processor time, and memory of the service and its reader."""
HELD = {"idle": b"", "headers begun": HEAD_BEGUN, "body begun": BODY_BEGUN, "sent ahead": AHEAD}
MOST_KIB = 512.0
LONGEST_END, LONGEST_SECOND = 12.0, 1.0
CLIENTS = [sys.executable, "-m", "stress.hostile.clients"]


@dataclass(frozen=True)
class Seen:
    """What an honest client saw."""

    p50: float
    """Milliseconds, as p99."""
    p99: float
    statuses: dict[str, int]

    @property
    def served(self) -> float:
        """Share of its requests that were answered."""
        return self.statuses.get("200", 0) / max(1, sum(self.statuses.values()))


def seen_by(who: str, port: int, seconds: float) -> Seen:
    """What an honest client sees: a "regular", on one connection, or a "newcomer" each time."""
    command = [*CLIENTS, "one row", str(port), str(seconds), who]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    waited = sorted(told["seconds"]) or [float("nan")]
    p99 = waited[int(0.99 * len(waited))]
    return Seen(1000 * statistics.median(waited), 1000 * p99, told["statuses"])


def beside(port: int, seconds: float) -> Iterator[Row]:
    """What an honest client notices beside each kind of hostile one."""
    quiet = seen_by("regular", port, seconds)
    yield Row("an honest client alone", f"p50 {quiet.p50:.1f} ms, p99 {quiet.p99:.1f} ms")
    for kind in HOSTILE:
        command = [*CLIENTS, kind, str(port), str(seconds + 3), str(AT_ONCE)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as crowd:
            time.sleep(2)
            seen = seen_by("regular", port, seconds)
            crowd.kill()
        time.sleep(2)
        times = seen.p50 / quiet.p50, seen.p99 / quiet.p99
        figure = (
            f"p50 {seen.p50:.1f} ms ({times[0]:.1f} x), p99 {seen.p99:.1f} ms ({times[1]:.1f} x), "
            f"{100 * seen.served:.1f} % answered"
        )
        held = max(times) <= MOST_TIMES and seen.served == 1
        yield Row(f"beside {AT_ONCE} x {kind}", figure, f"<= {MOST_TIMES:g} x, all answered", held)


def locked_out(port: int, seconds: float) -> Iterator[Row]:
    """How many newcomers get in while others hold all connections, and what that takes."""
    for kind in HOLDERS:
        command = [*CLIENTS, kind, str(port), str(seconds + 4), str(HOLDING)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as crowd:
            time.sleep(3)
            seen = seen_by("newcomer", port, seconds)
            told = json.loads(crowd.communicate()[0])
        rate = told["bytes"] / (seconds + 4)
        figure = (
            f"{100 * seen.served:.1f} % of the newcomers answered, p50 {seen.p50:.1f} ms; "
            f"{told['connections'] / (seconds + 4):,.0f} connections and {rate:,.0f} bytes a second"
        )
        promise = ">= 99 % answered" if kind != FLOOD else ""
        held = seen.served >= 0.99 or not promise
        yield Row(f"beside {HOLDING} x {kind}", figure, promise, held)


def costs(folder: Path) -> Iterator[Row]:
    """Processor time and memory of one request of each kind, in a service of its own."""
    for kind, request in KINDS.items():
        with service(folder) as (process, port):
            before, peak = processor_seconds(process.pid), memory(process.pid, "VmHWM")
            status, seconds = one_request(port, request())
            used = processor_seconds(process.pid) - before
            more = memory(process.pid, "VmHWM") - peak
        figure = f"{status} in {seconds:.2f} s, {used:.2f} s of processors, +{more:.0f} MiB"
        promise = f"<= {MOST_SECONDS:g} s, <= {MOST_MIB:g} MiB"
        held = used <= MOST_SECONDS and more <= MOST_MIB
        yield Row(f"one request: {kind}", figure, promise, held)


def connections(folder: Path) -> Iterator[Row]:
    """Memory that connections and requests hold."""
    for kind, sent in HELD.items():
        with service(folder) as (process, port):
            before = memory(process.pid)
            held = opened(port, sent, 200)
            time.sleep(1.5)
            each = 1024 * (memory(process.pid) - before) / len(held)
            for connection in held:
                connection.close()
        yield at_most(f"a connection, {kind}", each, MOST_KIB, "KiB")
    with service(folder) as (process, port):
        before = memory(process.pid, "VmHWM")
        held = opened(port, KINDS["one row"](), 200)
        for connection in held:
            connection.setblocking(True)
            connection.recv(65536)
            connection.close()
        each = 1024 * (memory(process.pid, "VmHWM") - before) / len(held)
    yield at_most("a request that waits for the network", each, MOST_KIB, "KiB")


def opened(port: int, sent: bytes, count: int) -> list[socket.socket]:
    """So many connections on which as much of this was sent as is taken at once."""
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for connection in held:
        connection.setblocking(False)
        with suppress(OSError):
            connection.send(sent)
    return held


def endings(folder: Path) -> Iterator[Row]:
    """From a signal to the exit while forms of dots are read for clients who stay."""
    for name, longest in (("SIGTERM", LONGEST_END), ("the second signal", LONGEST_SECOND)):
        with service(folder) as (process, port):
            command = [*CLIENTS, "64 pictures of dots", str(port), "30", "14"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as crowd:
                time.sleep(3)
                process.send_signal(signal.SIGTERM)
                if longest == LONGEST_SECOND:
                    time.sleep(0.5)
                    process.send_signal(signal.SIGTERM)
                began = time.monotonic()
                code = process.wait(60)
                took = time.monotonic() - began
                crowd.kill()
        what = f"{name} to exit, while pictures are read"
        yield at_most(what, took, longest, "s", f", exit {code}")


def rows(short: bool) -> Iterator[Row]:
    """The service beside hostile clients."""
    seconds = 3.0 if short else 15.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(folder) as (_, port):
            yield from beside(port, seconds)
        with service(folder) as (_, port):
            yield from locked_out(port, seconds)
        yield from costs(folder)
        yield from connections(folder)
        yield from endings(folder)


if __name__ == "__main__":
    sys.exit(run(rows, "hostile"))

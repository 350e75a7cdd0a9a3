"""The service beside hostile clients, on this machine: python -m stress.hostile [--short].

Prints one table: what an honest client notices beside each kind of hostile one, what one request of
each kind costs, what a connection holds, how long an ending takes.
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
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model, save
from chainrule.nn.network import Network
from stress.hostile.bodies import GET, KINDS
from stress.hostile.clients import OTHERS

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
TICKS = 100
CLIENTS = [sys.executable, "-m", "stress.hostile.clients"]


def children(pid: int) -> list[int]:
    """The process and those that it started."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for file in found for child in file.read_text().split())]


def processor_seconds(pid: int) -> float:
    """Of a process and its children, ended ones included."""
    total = 0
    for one in children(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15] if one == pid else fields[11:13]))
    return total / TICKS


def memory(pid: int, line: str = "VmRSS") -> float:
    """MiB of a process and its children; VmHWM: at most."""
    texts = [Path(f"/proc/{one}/status").read_text() for one in children(pid)]
    lines = [one for text in texts for one in text.splitlines()]
    return sum(int(one.split()[1]) for one in lines if one.startswith(line)) / 1024


@contextmanager
def service(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service of a small network."""
    network = Network.dense((784, 128, 64, 10), rng=np.random.default_rng(0))
    path = save(Model(network, DIGITS, (28, 28)), folder / "small.safetensors")
    command = [sys.executable, "-m", "chainrule", "serve", str(path), "--port", "0", "--no-open"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])
        try:
            one_request(port, KINDS["a picture"]())
            yield process, port
        finally:
            process.kill()


def one_request(port: int, request: bytes) -> tuple[int, float]:
    """(status, seconds) of one request."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        status = int(connection.recv(65536)[9:12])
    return status, time.perf_counter() - began


def seen_by_honest(port: int, kind: str, seconds: float) -> tuple[float, float, str]:
    """(p50, p99, refusals) of an honest client, in milliseconds."""
    command = [*CLIENTS, kind, str(port), str(seconds), "honest"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    waited = sorted(told["seconds"]) or [float("nan")]
    other = {status: count for status, count in told["statuses"].items() if status != "200"}
    p99 = waited[int(0.99 * len(waited))]
    return 1000 * statistics.median(waited), 1000 * p99, ", ".join(
        f"{count} x {status}" for status, count in other.items()
    )  # fmt: skip


def beside(port: int, seconds: float) -> None:
    """What an honest client notices beside each kind of hostile one."""
    quiet50, quiet99, _ = seen_by_honest(port, "one row", seconds)
    print(f"| an honest client alone | p50 {quiet50:.1f} ms, p99 {quiet99:.1f} ms |")
    for kind in HOSTILE:
        command = [*CLIENTS, kind, str(port), str(seconds + 3), str(AT_ONCE)]
        with subprocess.Popen(command) as crowd:
            time.sleep(2)
            p50, p99, refused = seen_by_honest(port, "one row", seconds)
            crowd.kill()
        time.sleep(2)
        print(
            f"| beside {AT_ONCE} x {kind} | p50 {p50:.1f} ms ({p50 / quiet50:.1f} x), "
            f"p99 {p99:.1f} ms ({p99 / quiet99:.1f} x){'; refused: ' * bool(refused)}{refused} |",
            flush=True,
        )


def costs(folder: Path) -> None:
    """Processor time and memory of one request of each kind, in a service of its own."""
    for kind, request in KINDS.items():
        with service(folder) as (process, port):
            before, peak = processor_seconds(process.pid), memory(process.pid, "VmHWM")
            status, seconds = one_request(port, request())
            used = processor_seconds(process.pid) - before
            more = memory(process.pid, "VmHWM") - peak
        print(
            f"| one request: {kind} | {status} in {seconds:.2f} s, {used:.2f} s of processors, "
            f"+{more:.0f} MiB |",
            flush=True,
        )


def connections(folder: Path) -> None:
    """Memory that connections hold."""
    for kind, sent in (("idle", b""), ("requests sent ahead", GET * 8000)):
        with service(folder) as (process, port):
            before = memory(process.pid)
            held = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
            for connection in held:
                connection.setblocking(False)
                try:
                    connection.send(sent)
                except OSError:
                    continue
            time.sleep(1.5)
            each = 1024 * (memory(process.pid) - before) / len(held)
            for connection in held:
                connection.close()
        print(f"| a connection, {kind} | {each:.0f} KiB |", flush=True)


def endings(folder: Path) -> None:
    """From a signal to the exit while forms of dots are read for clients who stay."""
    for second in (False, True):
        with service(folder) as (process, port):
            command = [*CLIENTS, "64 pictures of dots", str(port), "30", "14"]
            with subprocess.Popen(command) as crowd:
                time.sleep(3)
                process.send_signal(signal.SIGTERM)
                if second:
                    time.sleep(0.5)
                    process.send_signal(signal.SIGTERM)
                began = time.monotonic()
                code = process.wait(60)
                took = time.monotonic() - began
                crowd.kill()
        name = "the second signal" if second else "SIGTERM"
        print(
            f"| {name} to exit, while pictures are read | {took:.1f} s, exit {code} |", flush=True
        )


def main() -> None:
    """Measures everything, or with --short for a shorter time."""
    seconds = 3.0 if "--short" in sys.argv else 15.0
    print("| what | figure |\n|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with service(folder) as (_, port):
            beside(port, seconds)
        costs(folder)
        connections(folder)
        endings(folder)


if __name__ == "__main__":
    main()

"""The service under attack, and what its processes use."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model, save
from chainrule.nn.network import Network
from stress.hostile.bodies import KINDS

TICKS = 100


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
    """A service of a small network: (process, port)."""
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

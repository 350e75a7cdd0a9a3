"""The service asked by the HTTP clients of this machine: python -m stress.clients [--short].

Each asks with the settings that it has by itself: some of these ask for an upgrade to HTTP/2,
expect to be told to go on, or unpack what they get. A client that is not there is named.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.service.servers import serving, write_model
from chainrule.nn.model_file import load_model
from stress.clients.machine import CLIENTS, Client
from stress.clients.questions import Right, write_bodies, wrong
from stress.table import Row, at_most, run

LONGEST_REFUSAL = 2.0


def row_of(client: Client, address: str, folder: Path, right: Right) -> Row:
    """What one client was answered."""
    path = client.path()
    if path is None:
        return Row(client.name, "not on this machine")
    try:
        answers = client.ask(path, address, folder)
    except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        return Row(client.name, f"failed: {error}", "all answers right", held=False)
    mistakes = wrong(answers, right, forms=client.forms)
    figure = f"{len(answers)} answers, {len(mistakes)} wrong"
    return Row(client.name, "; ".join([figure, *mistakes]), "all answers right", not mistakes)


def another_protocol(address: str) -> Row:
    """How long a client that speaks HTTP/2 from its first byte waits for its refusal."""
    name, curl = "curl --http2-prior-knowledge: refused", shutil.which("curl")
    if curl is None:
        return Row(name, "not on this machine")
    began = time.monotonic()
    command = [curl, "--http2-prior-knowledge", "--silent", "--max-time", "30", address]
    code = subprocess.run(command, capture_output=True).returncode
    took = time.monotonic() - began
    row = at_most(name, took, LONGEST_REFUSAL, "s", f", exit {code}")
    return row if code else Row(name, "answered", row.promise, held=False)


def asked(clients: Sequence[Client]) -> Iterator[Row]:
    """The rows of these clients, of a service of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_model(folder)
        right = Right(load_model(path), write_bodies(folder))
        with serving(path) as server:
            address = f"http://127.0.0.1:{server.port}"
            for client in clients:
                yield row_of(client, address, folder, right)
            yield another_protocol(address)


def rows(short: bool) -> Iterator[Row]:
    """The service asked by the clients of this machine."""
    yield from asked([one for one in CLIENTS if one.quick or not short])


if __name__ == "__main__":
    sys.exit(run(rows, "clients"))

"""The clients of this machine: how each is started, and what it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stress.clients.questions import BODIES, GETS, PREDICT, Answer, read_answers

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = 240.0
"""Seconds for all questions; Go compiles its library at first."""
KINDS = [",".join(GETS), ",".join(f"{name}={kind}" for name, kind in BODIES.items())]


@dataclass(frozen=True)
class Client:
    """One client, with the settings that it has by itself."""

    name: str
    program: str
    """As found on the PATH; python: this one."""
    arguments: tuple[str, ...] = ()
    module: str = ""
    """Of Python, that it needs."""
    browser: str = ""
    """A program that it drives."""
    forms: bool = True
    """True if it writes forms by itself."""
    quick: bool = False
    """True if it starts within a second."""

    def path(self) -> str | None:
        """Path of its program; None where something of it is missing."""
        if self.module and not find_spec(self.module):
            return None
        if self.browser and not shutil.which(self.browser):
            return None
        return sys.executable if self.program == "python" else shutil.which(self.program)

    def ask(self, path: str, address: str, folder: Path) -> dict[str, Answer]:
        """All questions; RuntimeError with its last words if it fails."""
        if self.program == "curl":
            return asked_by_curl([path, *self.arguments], address, folder)
        own = {"GOCACHE": str(folder / "go"), "GO111MODULE": "off", "GOTOOLCHAIN": "local"}
        command = [path, *self.arguments, address, str(folder), *KINDS]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, env=os.environ | own
        )
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no words"])[-1])
        return read_answers(done.stdout)


def of_python(name: str, module: str = "") -> Client:
    """A client of Python."""
    arguments = (str(PROGRAMS / "client.py"), name)
    return Client(name, "python", arguments, module=module, forms=False, quick=not module)


CLIENTS = [
    Client("curl", "curl", quick=True),
    Client("curl --http2", "curl", ("--http2",), quick=True),
    Client("curl, Expect: 100-continue", "curl", ("-H", "Expect: 100-continue"), quick=True),
    of_python("urllib"),
    of_python("http_client"),
    of_python("requests", "requests"),
    of_python("urllib3", "urllib3"),
    of_python("httpx", "httpx"),
    Client("Java", "java", (str(PROGRAMS / "Client.java"),), forms=False),
    Client("Go", "go", ("run", str(PROGRAMS / "client.go"))),
    Client("fetch of Node", "node", (str(PROGRAMS / "client.mjs"),)),
    Client(
        "Chromium", "python", (str(PROGRAMS / "client.py"), "chromium"), "playwright", "chromium"
    ),
]


def asked_by_curl(curl: Sequence[str], address: str, folder: Path) -> dict[str, Answer]:
    """All questions, each with a curl of its own."""
    answers = {}
    for path in GETS:
        answers[f"GET {path}"] = one_of_curl(curl, address + path)
        answers[f"HEAD {path}"] = one_of_curl([*curl, "-I"], address + path)
    for name, kind in BODIES.items():
        more = ["-H", f"Content-Type: {kind}", "--data-binary", f"@{folder / name}"]
        answers[name] = one_of_curl([*curl, *more], address + PREDICT)
    form = ["-F", f"files=@{folder / 'picture'};type=image/png"]
    answers["form"] = one_of_curl([*curl, *form], address + PREDICT)
    return answers


def one_of_curl(curl: Sequence[str], address: str) -> Answer:
    """The answer to one curl, without the headers that it prints for HEAD."""
    told = "%{stderr}%{http_code} %header{content-length}"
    command = [*curl, "--silent", "--max-time", "20", "--write-out", told, address]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"curl ends with {done.returncode} at {address}")
    status, _, length = done.stderr.decode().partition(" ")
    body = done.stdout.partition(b"\r\n\r\n")[2] if "-I" in curl else done.stdout
    return Answer(int(status), length or "-", body)

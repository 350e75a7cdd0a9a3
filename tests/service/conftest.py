"""A small service in a thread of the test's process, and a client that sends what it is told."""

from __future__ import annotations

import http.client
import io
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chainrule.core.arrays import Array
from chainrule.data.dataset import DIGITS
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network
from chainrule.service.app import Readiness, application
from chainrule.service.security import LOOPBACK
from chainrule.service.server import Server, listen
from chainrule.web.bundle import model_as_dict

BLANK = [0.0] * 784
FILES = {
    "index.html": b"<!doctype html><title>page</title>",
    "draw_page.js": b"export const one = 1;\n",
}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one sentence of a refusal."""
        assert self.headers["content-type"] == "application/json"
        told = json.loads(self.body)
        assert set(told) == {"error"}
        assert isinstance(told["error"], str)
        assert "\n" not in told["error"]
        return told["error"]


class Asker:
    """Sends requests to one port of this machine."""

    def __init__(self, server: Server, readiness: Readiness) -> None:
        self.server = server
        self.readiness = readiness
        self.port = int(server.address.rpartition(":")[2])

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read())
        finally:
            connection.close()

    def rows(self, body: bytes, **headers: str) -> Answer:
        kind = {"Content-Type": "application/octet-stream"}
        return self("POST", "/v1/predict", body, kind | headers)

    def json(self, value: Any) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self("POST", "/v1/predict", body, {"Content-Type": "application/json"})

    def picture(self, content: bytes, kind: str = "image/png") -> Answer:
        return self("POST", "/v1/predict", content, {"Content-Type": kind})

    def files(self, *files: tuple[str, bytes]) -> Answer:
        parts = [
            b'--cut\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n\r\n%b\r\n'
            % (name.encode(), content)
            for name, content in files
        ]
        kind = {"Content-Type": "multipart/form-data; boundary=cut"}
        return self("POST", "/v1/predict", b"".join(parts) + b"--cut--\r\n", kind)

    def raw(self, *pieces: bytes, seconds: float = 5) -> bytes:
        """Everything that comes back on one connection until it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            for piece in pieces:
                connection.sendall(piece)
            received = b""
            while more := connection.recv(65536):
                received += more
        return received


def network(*widths: int, seed: int = 0, dtype: Any = np.float32) -> Network:
    rng = np.random.default_rng(seed)
    made = Network.dense(widths, rng=rng, dtype=dtype)
    for b in made.b:
        b[...] = rng.normal(size=b.shape) / 4
    return made


@pytest.fixture(scope="session")
def model() -> Model:
    return Model(network(784, 32, 16, 10), DIGITS, (28, 28))


@contextmanager
def running(model: Model, **named: Any) -> Iterator[Asker]:
    readiness = Readiness()
    app = application(
        model, "small", files=FILES, weights=lambda: model_as_dict(model, "small"),
        readiness=readiness, **{"hosts": LOOPBACK} | named,
    )  # fmt: skip
    server = Server(app, listen("127.0.0.1", 0), on_drain=readiness.drain)
    server.start()
    try:
        yield Asker(server, readiness)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def ask(model: Model) -> Iterator[Asker]:
    """The service of `model`, and who asks it."""
    with running(model) as asker:
        yield asker


Drawing = Callable[[int], Array]


@pytest.fixture(scope="session")
def images() -> Array:
    """Twenty images of random bytes, (20, 784)."""
    return np.random.default_rng(1).integers(0, 256, (20, 784), np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def drawing(width: int = 120, height: int = 160) -> Image.Image:
    """A seven."""
    image = Image.new("L", (width, height), 240)
    line = [(width * 0.25, height * 0.2), (width * 0.7, height * 0.2), (width * 0.4, height * 0.8)]
    ImageDraw.Draw(image).line(line, fill=20, width=max(2, width // 12), joint="curve")
    return image


def refused(ask: Asker, status: int, *words: str, **request: Any) -> None:
    """Sends one request in a way that its name says, and sees that it is refused with words."""
    ((way, value),) = request.items()
    answer = getattr(ask, way)(*value if isinstance(value, tuple) else (value,))
    assert answer.status == status, answer.body
    for word in words:
        assert word in answer.error
    assert ask("GET", "/healthz").status == 200

"""The server itself: slow clients are cut and odd requests refused."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from math import inf
from typing import Any

import pytest

from chainrule.core.errors import ConfigError
from chainrule.service import protocol as connections
from chainrule.service import state
from chainrule.service.server import Server, listen
from helpers.talk import GET, POST, ROW, held_open, one_answer, statuses
from service.conftest import Asker


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits a tenth as long for slow clients."""
    limits = {"head": 0.5, "body": 1.0, "answer": inf, "idle": 1.5}
    monkeypatch.setattr(connections, "SECONDS", limits)


@pytest.mark.parametrize(
    ("sent", "expected", "seconds"),
    [
        (b"", [], (0.4, 1.4)),
        (b"GET /healthz HTTP/1.1\r\nHost: loc", [408], (0.4, 1.4)),
        (b"GET", [408], (0.4, 1.4)),
        (POST + b"Content-Length: 784\r\n\r\n1234", [408], (0.9, 1.9)),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", [408], (0.9, 1.9)),
        (POST + b"Content-Length: 9999999\r\n\r\n1234", [413], (0.9, 1.9)),
        (GET, [200], (1.4, 2.4)),
        (GET + b"GET /hea", [200, 408], (0.4, 1.4)),
    ],
    ids=["silent", "header", "letters", "body", "chunks", "too much", "idle", "second"],
)
def test_slow_clients_are_cut(
    ask: Asker, quick: None, sent: bytes, expected: list[int], seconds: tuple[float, float]
) -> None:
    started = time.monotonic()
    received = ask.raw(sent)
    assert seconds[0] < time.monotonic() - started < seconds[1]
    assert statuses(received) == expected


def test_a_trickle_of_letters_does_not_prolong_a_header(ask: Asker, quick: None) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        with pytest.raises(OSError):  # noqa: PT011, PT012
            while time.monotonic() - started < 4:
                connection.sendall(b"a")
                time.sleep(0.05)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("status", "request_line"),
    [
        (400, b"nonsense\r\n\r\n"),
        (400, b"GET / HTTP/1.1\nHost: localhost\n\n"),
        (400, b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n"),
        (400, b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (400, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (400, b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        (400, b"GET / HTTP/3.0\r\nHost: localhost\r\n\r\n"),
        (400, b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"),
        (400, POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        (400, POST + b"Content-Length: -1\r\n\r\n"),
        (400, POST + b"Content-Length: 1e3\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 64 + b"\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 16_400 + b"\r\n\r\n"),
        (431, b"GET /" + b"y" * 16_400 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    ask: Asker, status: int, request_line: bytes
) -> None:
    received = ask.raw(request_line)
    assert statuses(received) == [status]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b'{"error": "' in body
    assert b"content-security-policy: default-src 'none'" in head.lower()
    assert ask("GET", "/healthz").status == 200


def test_an_upgrade_is_not_taken(ask: Asker) -> None:
    received = ask.raw(GET[:-2] + b"Connection: upgrade, close\r\nUpgrade: websocket\r\n\r\n")
    assert statuses(received) == [200]


def test_headers_behind_a_body_are_left_out(ask: Asker) -> None:
    received = ask.raw(
        POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"1\r\na\r\n0\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    assert statuses(received) == [415]


def test_requests_sent_together_are_answered_in_order(ask: Asker) -> None:
    last = GET[:-2] + b"Connection: close\r\n\r\n"
    received = ask.raw(GET + ROW + POST + b"Content-Length: 1\r\n\r\na" + last)
    assert statuses(received) == [200, 200, 415, 200]


def test_the_connection_outlives_a_refused_body(ask: Asker) -> None:
    large = POST + b"Content-Length: 3000000\r\n\r\n" + bytes(3_000_000)
    assert statuses(ask.raw(large, GET[:-2] + b"Connection: close\r\n\r\n")) == [413, 200]


def test_who_waits_for_our_word_gets_it(ask: Asker) -> None:
    head = ROW[:-786] + b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(bytes(784))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    refused = ask.raw(POST + b"Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n")
    assert statuses(refused) == [413]


def test_too_many_connections_are_sent_away_and_later_ones_are_welcome(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 5)
    monkeypatch.setattr(state, "GIVES_WAY", 60.0)
    held = held_open(ask.port, 5)
    try:
        received = ask.raw(ROW)
        assert statuses(received) == [429]
        assert b"retry-after: 1\r\n" in received.lower()
        more = held_open(ask.port, 5)
        with suppress(ConnectionResetError):
            assert ask.raw(GET) == b""
        for connection in more:
            connection.close()
    finally:
        for connection in held:
            connection.close()
    time.sleep(0.2)
    assert ask("GET", "/healthz").status == 200


def test_who_does_not_read_the_answer_is_cut(
    ask: Asker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "STALLED", 0.3)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        connection.connect(("127.0.0.1", ask.port))
        head = POST + b"Content-Type: application/octet-stream\r\nContent-Length: 802816\r\n\r\n"
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(60):
                connection.sendall(head + bytes(802_816))
                time.sleep(0.02)
            raise AssertionError("it was never cut")
    assert ask("GET", "/healthz").status == 200
    # Those that waited for their turn behind it were left out without a word.
    assert caplog.text == ""


def test_who_reads_late_but_reads_is_not_cut(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED", 2.0)
    paused: list[bool] = []
    pause = connections.Protocol.pause_writing
    monkeypatch.setattr(
        connections.Protocol, "pause_writing", lambda self: (paused.append(True), pause(self))
    )
    head = POST + b"Content-Type: application/octet-stream\r\nContent-Length: 802816\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.settimeout(5)
        connection.connect(("127.0.0.1", ask.port))
        sender = threading.Thread(target=connection.sendall, args=((head + bytes(802_816)) * 30,))
        sender.start()
        while not paused:
            time.sleep(0.01)
        received = b""
        while received.count(b"HTTP/1.1 200") < 30 or not received.endswith(b"]}"):
            received += connection.recv(2**20)
        sender.join()
        time.sleep(2.7)
        connection.sendall(ROW)
        assert one_answer(connection) == (200, False)


def test_a_taken_port_and_a_foreign_address_are_one_sentence(ask: Asker) -> None:
    with pytest.raises(ConfigError, match=f"port {ask.port} of 127.0.0.1 is not available"):
        listen("127.0.0.1", ask.port)
    with pytest.raises(ConfigError, match=r"no address 'no\.such\.host\.invalid'"):
        listen("no.such.host.invalid", 8000)
    with pytest.raises(ConfigError, match="is not available"):
        listen("192.0.2.1", 8000)


def test_an_application_that_cannot_start_is_no_server() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "planted"})

    listener = listen("127.0.0.1", 0)
    with listener, pytest.raises(RuntimeError, match="did not start"):
        Server(fails, listener).start()

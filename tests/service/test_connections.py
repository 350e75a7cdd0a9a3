"""One connection: requests sent ahead, upgrades to other protocols, slow but steady clients."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from chainrule.service import protocol as connections
from chainrule.service.batcher import Batcher, FullError
from chainrule.service.flow import LEAST_READ, Unread
from chainrule.service.protocol import MOST_AHEAD, SLICE, Protocol
from chainrule.service.state import State
from helpers.talk import CLOSE, GET, POST, ROW, one_answer, statuses
from service.conftest import Asker, running

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
WEBSOCKET = b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n"
LAST = GET[:-2] + b"Connection: close\r\n\r\n"
HIDDEN = b"GET /v1/model HTTP/1.1\r\nHost: localhost\r\n\r\n"
OCTETS = POST + b"Content-Type: application/octet-stream\r\n"
SIZED = b"Content-Length: 784\r\n\r\n" + bytes(784)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n310\r\n" + bytes(784) + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("upgrade", [H2C, WEBSOCKET], ids=["h2c", "websocket"])
@pytest.mark.parametrize("pieces", ["together", "head and body", "bytes"])
@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"%b" + SIZED, 200),
        (b"%b" + CHUNKED, 200),
        (b"%b" + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN, 422),
        (b"%b" + b"Content-Length: 0\r\n\r\n", 422),
    ],
    ids=["sized", "chunked", "hidden", "empty"],
)
def test_a_request_that_asks_for_another_protocol_is_answered_whole(
    ask: Asker, upgrade: bytes, pieces: str, request_: bytes, expected: int
) -> None:
    sent = OCTETS + request_.replace(b"%b", upgrade) + LAST
    head = sent.index(b"\r\n\r\n") + 4
    cuts = {
        "together": [sent],
        "head and body": [sent[:head], sent[head:]],
        "bytes": [sent[n : n + 1] for n in range(head + 3)] + [sent[head + 3 :]],
    }
    assert statuses(ask.raw(*cuts[pieces])) == [expected, 200]


def test_upgrades_of_several_requests_change_nothing_about_them(ask: Asker) -> None:
    one = OCTETS + H2C + SIZED
    get = GET[:-2] + WEBSOCKET + b"\r\n"
    assert statuses(ask.raw(one + get + one + HIDDEN + LAST)) == [200] * 5
    old = one.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(ask.raw(old + HIDDEN)) == [200]


@pytest.mark.parametrize("target", [b"localhost:80", b"/healthz"])
def test_a_tunnel_is_refused_and_what_follows_is_no_request(ask: Asker, target: bytes) -> None:
    request_line = b"CONNECT " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert statuses(ask.raw(request_line + HIDDEN)) == [400]


def test_an_upgrade_does_not_hide_two_lengths(ask: Asker) -> None:
    two = OCTETS + H2C + b"Content-Length: 784\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert statuses(ask.raw(two + HIDDEN)) == [400]


def test_of_requests_sent_ahead_few_are_begun_and_all_are_answered(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[int] = []
    begin = Protocol.on_headers_complete

    def counted(self: Protocol) -> None:
        begin(self)
        ahead.append(len(self.pipeline))

    monkeypatch.setattr(Protocol, "on_headers_complete", counted)
    many = 5000
    with socket.create_connection(("127.0.0.1", ask.port), timeout=10) as connection:
        sender = threading.Thread(target=connection.sendall, args=(GET * many + LAST,))
        sender.start()
        received = b""
        while more := connection.recv(2**20):
            received += more
        sender.join()
    assert statuses(received) == [200] * (many + 1)
    assert max(ahead) <= MOST_AHEAD + SLICE // len(GET) + 1


def test_who_sends_ahead_and_reads_nothing_fills_no_memory(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    receive = Protocol.data_received

    def counted(self: Protocol, data: bytes) -> None:
        receive(self, data)
        kept.append(len(self.held) + 2000 * len(self.pipeline))

    monkeypatch.setattr(Protocol, "data_received", counted)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.5)
        connection.connect(("127.0.0.1", ask.port))
        with pytest.raises(TimeoutError):
            connection.sendall(GET * 1_000_000)
    assert max(kept) < 2**20
    assert ask("GET", "/healthz").status == 200


def test_at_the_end_requests_sent_ahead_are_answered_too(model: Any) -> None:
    with running(model) as ask:
        row = socket.create_connection(("127.0.0.1", ask.port), timeout=5)
        row.sendall(ROW[:-1])
        time.sleep(0.2)
        stopping = threading.Thread(target=ask.server.stop)
        stopping.start()
        while not ask.server.draining:
            time.sleep(0.01)
        row.sendall(ROW[-1:] + GET * 200)
        received = b""
        while more := row.recv(65536):
            received += more
        stopping.join(5)
        row.close()
    assert statuses(received) == [200] * 201
    assert received.count(CLOSE) == 1


def test_who_sends_a_body_steadily_is_not_cut(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.SECONDS, "body", 0.9)
    monkeypatch.setattr(connections, "LEAST_SENT", 100)
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as connection:
        connection.sendall(ROW[:-784])
        for n in range(0, 784, 112):
            connection.sendall(ROW[-784:][n : n + 112])
            time.sleep(0.35)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


class Transport:
    """A transport on which so many bytes wait for the client."""

    def __init__(self) -> None:
        self.waits = 0

    def get_write_buffer_size(self) -> int:
        return self.waits

    def get_extra_info(self, name: str) -> Any:
        raise OSError


def test_who_reads_a_large_answer_steadily_makes_progress() -> None:
    transport = Transport()
    unread = Unread(transport, 0.0)
    assert unread.seconds(100.0) == 0
    transport.waits = 10_000_000
    for second in range(100, 900):
        assert unread.seconds(float(second)) <= 9
        transport.waits -= LEAST_READ // 9


def test_who_reads_drops_or_nothing_makes_none() -> None:
    transport = Transport()
    unread = Unread(transport, 0.0)
    transport.waits = 10_000_000
    for second in range(50):
        assert unread.seconds(float(second)) == second
        transport.waits -= 100
    transport.waits += 1_000_000
    assert unread.seconds(50.0) == 50
    transport.waits = 0
    assert unread.seconds(51.0) == 0


def test_who_is_told_to_come_later_is_not_read_until_then(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def full(self: Batcher, images: int) -> None:
        asked.append(images)
        raise FullError

    monkeypatch.setattr(connections, "PAUSE", 0.8)
    monkeypatch.setattr(Batcher, "check_room", full)
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as connection:
        connection.sendall(ROW)
        assert one_answer(connection) == (429, False)
        connection.sendall(ROW)
        time.sleep(0.3)
        assert asked == [1]
        assert one_answer(connection) == (429, False)
    assert asked == [1, 1]


def test_who_is_told_to_come_later_is_answered_at_the_end(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PAUSE", 60.0)
    with running(model) as ask, monkeypatch.context() as for_now:
        for_now.setattr(Batcher, "check_room", full_queue)
        client = socket.create_connection(("127.0.0.1", ask.port), timeout=5)
        client.sendall(ROW)
        assert one_answer(client) == (429, False)
        for_now.undo()
        client.sendall(ROW)
        stopping = threading.Thread(target=ask.server.stop)
        stopping.start()
        assert one_answer(client) == (200, True)
        stopping.join(5)
        client.close()


def full_queue(self: Batcher, images: int) -> None:
    raise FullError


def test_a_body_without_end_that_was_refused_is_not_read_for_ever(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_UNWANTED", 2**20)
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as connection:
        connection.sendall(POST + b"Content-Length: 999999999999\r\n\r\n")
        with pytest.raises(ConnectionError):  # noqa: PT012
            for _ in range(100):
                connection.sendall(bytes(2**20))
            raise AssertionError("it was read for ever")


def eventually(condition: Any) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())


@pytest.mark.parametrize(
    "header", [b"Connection: close\r\n", b"Expect: 100-continue\r\n", b""], ids=str
)
def test_who_sends_everything_first_reads_its_refusal(ask: Asker, header: bytes) -> None:
    size, kept = 3 * 2**20, header == b""
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as connection:
        connection.sendall(POST + header + b"Content-Length: %d\r\n\r\n" % size)
        assert connection.recv(1, socket.MSG_PEEK)  # it is refused before its body comes
        for _ in range(size // 2**16):
            connection.sendall(bytes(2**16))
        connection.sendall(LAST if kept else b"")
        received = b""
        while more := connection.recv(65536):
            received += more
        assert eventually(lambda: not ask.server.connections)
    assert statuses(received) == ([413, 200] if kept else [413])


def test_a_refused_body_that_is_malformed_is_not_answered_again(ask: Asker) -> None:
    head = POST.replace(b"localhost", b"evil.test")
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        received = connection.recv(65536)
        connection.sendall(b"no length\r\n")
        while more := connection.recv(65536):
            received += more
    assert statuses(received) == [421]


def test_of_requests_sent_ahead_one_starts_in_a_turn_of_the_loop() -> None:
    async def count() -> list[int]:
        state, started, seen = State(), list[int](), list[int]()
        for number in range(5):
            state.start_in_turn(lambda number=number: started.append(number))  # type: ignore[misc]
        for _ in range(5):
            await asyncio.sleep(0)
            seen.append(len(started))
        assert started == [0, 1, 2, 3, 4]
        return seen

    assert asyncio.run(count()) == [1, 2, 3, 4, 5]

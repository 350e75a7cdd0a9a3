"""Where all connections are taken, whoever keeps us waiting longest gives way to a new one."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from chainrule.service import protocol as connections
from chainrule.service import state
from chainrule.service.batcher import Batcher
from helpers.talk import GET, POST, ROW, held_open, one_answer, statuses
from service.conftest import Asker

LAST = GET[:-2] + b"Connection: close\r\n\r\n"
SLOW = {
    "silent": (b"", []),
    "idle": (GET, [200]),
    "headers": (GET[:9], [408]),
    "body": (POST + b"Content-Length: 784\r\n\r\n", [408]),
    "early answer": (POST + b"Content-Length: 3000000\r\n\r\n", [413]),
}


@pytest.mark.parametrize(("sent", "answered"), SLOW.values(), ids=SLOW)
def test_a_new_connection_takes_the_place_of_the_one_that_keeps_us_waiting_longest(
    ask: Asker, monkeypatch: pytest.MonkeyPatch, sent: bytes, answered: list[int]
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(state, "GIVES_WAY", 0.1)
    (slowest,) = held_open(ask.port, 1)
    slowest.sendall(sent)
    time.sleep(0.2)
    later = held_open(ask.port, 2)
    try:
        assert statuses(ask.raw(LAST)) == [200]
        received = b"".join(iter(lambda: slowest.recv(65536), b""))
        assert statuses(received) == answered
        assert (b"waited longest" in received) == (408 in answered)
        for connection in later:
            connection.sendall(GET)
            assert one_answer(connection) == (200, False)
    finally:
        for connection in [slowest, *later]:
            connection.close()


def test_who_does_not_read_gives_way(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
    monkeypatch.setattr(state, "GIVES_WAY", 0.1)
    head = POST + b"Content-Type: application/octet-stream\r\nContent-Length: 802816\r\n\r\n"
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(0.5)
        deaf.connect(("127.0.0.1", ask.port))
        with pytest.raises(TimeoutError):
            deaf.sendall((head + bytes(802_816)) * 60)
        time.sleep(1)
        assert statuses(ask.raw(LAST)) == [200]
        assert not ask.server.connections


def test_who_waits_for_us_keeps_its_place(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = Batcher.__call__

    async def slow(self: Batcher, images: Any) -> Any:
        await asyncio.sleep(0.8)
        return await answering(self, images)

    monkeypatch.setattr(Batcher, "__call__", slow)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
    monkeypatch.setattr(state, "GIVES_WAY", 0.1)
    (asking,) = held_open(ask.port, 1)
    with asking:
        asking.sendall(ROW)
        time.sleep(0.4)
        assert statuses(ask.raw(LAST)) == [429]
        assert one_answer(asking) == (200, False)


def test_as_many_give_way_as_are_new(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(state, "GIVES_WAY", 0.1)
    silent = held_open(ask.port, 4)
    time.sleep(0.2)
    fresh = held_open(ask.port, 4)
    try:
        for connection in fresh:
            connection.sendall(GET)
            assert one_answer(connection) == (200, False)
        assert [connection.recv(10) for connection in silent] == [b""] * 4
    finally:
        for connection in [*silent, *fresh]:
            connection.close()

"""Raw requests, and what comes back on a connection."""

from __future__ import annotations

import socket
import time

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
ROW = POST + b"Content-Type: application/octet-stream\r\nContent-Length: 784\r\n\r\n" + bytes(784)
CLOSE = b"connection: close\r\n"


def statuses(received: bytes) -> list[int]:
    """Of the answers on one connection."""
    parts = received.split(b"HTTP/1.1 ")
    assert parts[0] == b""
    return [int(part[:3]) for part in parts[1:]]


def one_answer(connection: socket.socket) -> tuple[int, bool]:
    """(status, whether the connection is to be closed) of one answer with a body."""
    received = b""
    while not received.endswith(b"}"):
        if not (more := connection.recv(65536)):
            raise ConnectionResetError
        received += more
    return int(received[9:12]), CLOSE in received


def held_open(port: int, count: int) -> list[socket.socket]:
    """So many connections that say nothing."""
    held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(count)]
    time.sleep(0.1)
    return held

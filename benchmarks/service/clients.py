"""Load generators, closed-loop or at a fixed rate: prepared bytes on a socket, no HTTP library.

At a fixed rate latency counts from when the request was due, so that a slow response, which delays
the next request, is not hidden by its late sending (coordinated omission).
"""

from __future__ import annotations

import asyncio
import gc
import random
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: close", re.IGNORECASE)
PAUSE = 0.1
"""Seconds after a refusal until a client comes again; we ask for one second."""


def post(body: bytes, *, accept: str = "application/json") -> bytes:
    """A request for predictions of raw rows."""
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/octet-stream\r\nAccept: {accept}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Load:
    """What a crowd of clients sends, and what it got."""

    request: bytes
    pace: float = 0.0
    """Seconds from one request of a client to its next; 0: as soon as it is answered."""
    open: bool = True
    """Whether they go on."""
    latencies: list[float] = field(default_factory=list)
    """Seconds, of those answered with 200."""
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    """Requests that were sent on an open connection and got no answer, or half of one."""

    def milliseconds(self, percentile: float) -> float:
        """A percentile of the latencies."""
        return 1000 * float(np.percentile(self.latencies, percentile)) if self.latencies else 0.0


class Client(asyncio.Protocol):
    """One connection; a request at a time."""

    def __init__(self, load: Load, gone: asyncio.Future[bool]) -> None:
        self.load = load
        self.gone = gone
        """Done when the connection is: whether the client should come again."""
        self.received = bytearray()
        self.waiting = False
        self.pause = False

    def connection_made(self, transport: Any) -> None:
        """Sends the first request; at a pace, the clients begin one after the other."""
        self.transport = transport
        self.due = perf_counter() + self.load.pace * random.random()
        self.send_when_due()

    def send_when_due(self) -> None:
        """The next request, at once if there is no pace or it is late already."""
        if not self.load.pace:
            self.due = perf_counter()
        wait = self.due - perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.send)
        else:
            self.send()

    def send(self) -> None:
        """The next request, or the end."""
        if not self.load.open or self.transport.is_closing():
            self.transport.close()
            return
        self.waiting = True
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        """Once the answer is whole: counts it, and goes on."""
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self.received, 0, end + 2)
        if not length or len(self.received) < end + 4 + int(length[1]):
            return
        status = int(self.received[9:12])
        closes = CLOSE.search(self.received, 0, end + 2)
        self.load.statuses[status] += 1
        if status == 200:
            self.load.latencies.append(perf_counter() - self.due)
        self.received.clear()
        self.waiting = False
        self.pause = status != 200
        if closes:
            self.transport.close()
        elif self.pause:
            self.due = perf_counter() + PAUSE
            asyncio.get_running_loop().call_later(PAUSE, self.send)
        else:
            self.due += self.load.pace
            self.send_when_due()

    def connection_lost(self, error: Exception | None) -> None:
        """Counts what was not answered."""
        if self.waiting:
            self.load.lost += 1
        if not self.gone.done():
            self.gone.set_result(self.pause)


async def ask_again_and_again(port: int, load: Load) -> None:
    """One client: a new connection whenever the old one is closed, until nobody answers."""
    loop = asyncio.get_running_loop()
    while load.open:
        gone: asyncio.Future[bool] = loop.create_future()
        try:
            await loop.create_connection(partial(Client, load, gone), "127.0.0.1", port)
        except OSError:
            return
        if await gone:
            await asyncio.sleep(PAUSE)


async def crowd(
    port: int, requests: dict[bytes, int], seconds: float, *, pace: float = 0.0
) -> list[Load]:
    """So many clients for each request, for so long; a Load for each request."""
    loads = [Load(request, pace) for request in requests]
    clients = [
        asyncio.create_task(ask_again_and_again(port, load))
        for load, count in zip(loads, requests.values(), strict=True)
        for _ in range(count)
    ]
    await asyncio.wait(clients, timeout=seconds)  # sooner where nobody answers any more
    for load in loads:
        load.open = False
    await asyncio.wait(clients, timeout=10)
    return loads


async def slow_header(port: int, seconds: float) -> float:
    """A client that sends a letter of its header each second: seconds until it was cut, or inf."""
    started = perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    end = asyncio.create_task(reader.read())
    try:
        while perf_counter() - started < seconds:
            writer.write(b"a")
            done, _ = await asyncio.wait([end], timeout=1)
            if done:
                return perf_counter() - started
        return float("inf")
    finally:
        end.cancel()
        writer.close()


def run(what: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a crowd to its end, on the quicker event loop where it is there."""
    gc.freeze()  # a client that looks for garbage would be taken for a slow server
    try:
        import uvloop
    except ImportError:
        return asyncio.run(what())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(what())

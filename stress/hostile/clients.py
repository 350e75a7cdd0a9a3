"""Clients, each in a process of its own: python -m stress.hostile.clients KIND PORT SECONDS N."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf

from stress.hostile.bodies import BODY_BEGUN, GET, HEAD_BEGUN, KINDS

PAUSE = 0.01
Client = Callable[[int, float], Awaitable[None]]


async def answer(reader: asyncio.StreamReader) -> int:
    """Status of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
    await reader.readexactly(length)
    return int(head[9:12])


async def honest(port: int, end: float, request: bytes, newcomer: bool) -> dict[str, object]:
    """One request after another: {status: count}, and the seconds of those answered with 200.

    A newcomer opens a connection for each; one that is cut counts as status 0.
    """
    statuses: dict[str, int] = {}
    seconds: list[float] = []
    while time.monotonic() < end:
        began = time.perf_counter()
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.monotonic() < end:
                writer.write(request)
                status = await asyncio.wait_for(answer(reader), 60)
                if status == 200:
                    seconds.append(time.perf_counter() - began)
                count(statuses, status)
                await asyncio.sleep(PAUSE)
                if newcomer:
                    break
                began = time.perf_counter()
        except (OSError, asyncio.IncompleteReadError):
            count(statuses, 0)
        finally:
            if writer:
                writer.close()
    return {"statuses": statuses, "seconds": seconds}


def count(statuses: dict[str, int], status: int) -> None:
    """Counts one answer."""
    statuses[f"{status}"] = statuses.get(f"{status}", 0) + 1


async def again_and_again(port: int, end: float, request: bytes) -> None:
    """The same request without a pause."""
    while time.monotonic() < end:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.monotonic() < end:
                writer.write(request)
                await writer.drain()
                await answer(reader)


async def ahead(port: int, end: float) -> None:
    """As many requests as are taken, and nothing is read."""
    while time.monotonic() < end:
        with suppress(OSError, TimeoutError):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            while time.monotonic() < end:
                writer.write(GET * 2000)
                await asyncio.wait_for(writer.drain(), max(0.1, end - time.monotonic()))
            writer.transport.abort()


class Holder:
    """Holds connections: sends a beginning, then a letter each half second.

    If cut, and after so many seconds anyway, it opens another.
    """

    connections = 0
    """Opened by all holders, as the bytes are sent by all."""
    bytes = 0

    def __init__(self, beginning: bytes, letter: bytes = b"a", anew: float = inf) -> None:
        self._beginning, self._letter, self._anew = beginning, letter, anew

    async def __call__(self, port: int, end: float) -> None:
        """Holds one connection until the end."""
        while time.monotonic() < end:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                Holder.connections += 1
                self._send(writer, self._beginning)
                until = min(end, time.monotonic() + self._anew)
                while time.monotonic() < until and not (writer.is_closing() or reader.at_eof()):
                    await asyncio.sleep(min(0.5, self._anew))
                    self._send(writer, self._letter)
                writer.transport.abort()

    def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        Holder.bytes += len(data)


FLOOD = "new connections each 0.4 s"
HOLDERS: dict[str, Client] = {
    "slow headers": Holder(HEAD_BEGUN),
    "slow bodies": Holder(BODY_BEGUN),
    "idle connections": Holder(GET, b""),
    FLOOD: Holder(HEAD_BEGUN, anew=0.4),
}
OTHERS: dict[str, Client] = {"requests sent ahead": ahead, "slow bodies": HOLDERS["slow bodies"]}


async def crowd(kind: str, port: int, seconds: float, clients: int) -> None:
    """So many hostile clients at a time."""
    end = time.monotonic() + seconds
    client = (HOLDERS | OTHERS).get(kind)
    if client is None:
        client = partial(again_and_again, request=KINDS[kind]())
    await asyncio.wait(
        [asyncio.ensure_future(client(port, end)) for _ in range(clients)], timeout=seconds + 1
    )


def main() -> None:
    """Runs one kind, and prints what it saw or did."""
    kind, port, seconds, who = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    if who in ("regular", "newcomer"):
        end = time.monotonic() + seconds
        told = asyncio.run(honest(port, end, KINDS[kind](), who == "newcomer"))
    else:
        asyncio.run(crowd(kind, port, seconds, int(who)))
        told = {"connections": Holder.connections, "bytes": Holder.bytes}
    print(json.dumps(told))


if __name__ == "__main__":
    main()

"""Clients, each in a process of its own: python -m stress.hostile.clients KIND PORT SECONDS N."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from stress.hostile.bodies import GET, HOST, KINDS

PAUSE = 0.01


async def answer(reader: asyncio.StreamReader) -> int:
    """Status of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
    await reader.readexactly(length)
    return int(head[9:12])


async def honest(port: int, end: float, request: bytes) -> dict[str, object]:
    """One request after another: {status: count}, and the seconds of those answered with 200."""
    statuses: dict[str, int] = {}
    seconds: list[float] = []
    while time.monotonic() < end:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.monotonic() < end:
                began = time.perf_counter()
                writer.write(request)
                status = await asyncio.wait_for(answer(reader), 60)
                if status == 200:
                    seconds.append(time.perf_counter() - began)
                statuses[f"{status}"] = statuses.get(f"{status}", 0) + 1
                await asyncio.sleep(PAUSE)
    return {"statuses": statuses, "seconds": seconds}


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


async def slow_body(port: int, end: float) -> None:
    """A large body that is declared, of which nearly nothing comes."""
    head = b"POST /v1/predict HTTP/1.1\r\n" + HOST + b"Content-Length: 1048576\r\n\r\n"
    while time.monotonic() < end:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            while time.monotonic() < end and not writer.is_closing():
                writer.write(b"a")
                await asyncio.sleep(0.5)


OTHERS: dict[str, Callable[[int, float], Awaitable[None]]] = {
    "requests sent ahead": ahead,
    "slow bodies": slow_body,
}


async def crowd(kind: str, port: int, seconds: float, count: int) -> None:
    """So many hostile clients at a time."""
    end = time.monotonic() + seconds
    client = OTHERS.get(kind)
    if client is None:
        client = partial(again_and_again, request=KINDS[kind]())
    await asyncio.wait(
        [asyncio.ensure_future(client(port, end)) for _ in range(count)], timeout=seconds + 1
    )


def main() -> None:
    """Runs one kind; an honest client prints what it saw."""
    kind, port, seconds, count = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    if count == "honest":
        end = time.monotonic() + seconds
        print(json.dumps(asyncio.run(honest(port, end, KINDS[kind]()))))
    else:
        asyncio.run(crowd(kind, port, seconds, int(count)))


if __name__ == "__main__":
    main()

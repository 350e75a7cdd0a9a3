"""Turns of many clients at one worker: next is whoever has used it least of late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chainrule.service.batcher import FullError

HALVED = 5.0
"""Seconds in which what a client has used counts half."""
FORGOTTEN = 60.0
MOST_REQUESTS = 16
"""Most requests that wait for the worker, or have it."""
CLEARLY = 0.05
"""Seconds of use that a waiting request must exceed a new one's to be refused in its place."""


@dataclass(eq=False)
class Waiting:
    """A request that waits for its turn."""

    client: Hashable
    turn: asyncio.Future[None]


class Turns:
    """One worker, lent to one request at a time.

    A request asks for room once, and may then take many turns. A client's use is counted over its
    requests, so that one of many jobs lets those of few go first; where there is no room, it is
    the heaviest of those waiting that is refused.
    """

    def __init__(self) -> None:
        self._requests = 0
        self._busy = False
        self._waiting: list[Waiting] = []
        self._used: dict[Hashable, tuple[float, float]] = {}
        """Seconds used by each client, and when that was counted."""

    @asynccontextmanager
    async def room(self, client: Hashable) -> AsyncIterator[None]:
        """Room for a request; FullError if there is none, here or later while it waits."""
        if self._requests >= MOST_REQUESTS:
            self._displace(self.used(client))
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    @asynccontextmanager
    async def turn(self, client: Hashable) -> AsyncIterator[None]:
        """The worker, for the time of the `async with` statement."""
        if self._busy:
            await self._wait(client)
        self._busy = True
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            self._charge(client, loop.time() - began)
            self._busy = False
            self._next()

    def used(self, client: Hashable) -> float:
        """Seconds that a client has used the worker; those long ago count less."""
        seconds, when = self._used.get(client, (0.0, 0.0))
        return float(seconds * 0.5 ** ((asyncio.get_running_loop().time() - when) / HALVED))

    def _charge(self, client: Hashable, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._used[client] = (self.used(client) + seconds, now)
        for one in [one for one, (_, when) in self._used.items() if now - when > FORGOTTEN]:
            del self._used[one]

    async def _wait(self, client: Hashable) -> None:
        waiting = Waiting(client, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.turn.cancelled() and not waiting.turn.exception():
                self._busy = False  # it was given the turn that it does not take
                self._next()
            raise

    def _next(self) -> None:
        """Gives the turn away; the worker stays busy for whoever gets it."""
        if self._waiting:
            waiting = min(self._waiting, key=lambda one: self.used(one.client))
            self._waiting.remove(waiting)
            self._busy = True
            waiting.turn.set_result(None)

    def _displace(self, used: float) -> None:
        """Refuses the heaviest of those waiting; FullError if it is not heavier than this use."""
        heaviest = max(self._waiting, key=lambda one: self.used(one.client), default=None)
        if heaviest is None or self.used(heaviest.client) <= used + CLEARLY:
            raise FullError
        self._waiting.remove(heaviest)
        heaviest.turn.set_exception(FullError())

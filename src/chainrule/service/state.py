"""State that all connections of a server share: whether it ends, who starts next, who gives way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from uvicorn.server import ServerState

GIVES_WAY = 0.5
"""Seconds after which a connection that keeps us waiting may lose its place to a new one."""


class Connection(Protocol):
    """What may have to give way."""

    def waited(self, now: float) -> float:
        """Seconds for which its client has kept us waiting."""
        ...

    def give_up(self, reason: str) -> None:
        """Closes it."""
        ...


class State(ServerState):
    """Server state shared by all connections."""

    draining = False
    """Shutting down: each response from now on closes its connection, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead: deque[Callable[[], None]] = deque()

    def make_room(self, now: float) -> bool:
        """Closes the connection that has kept us waiting longest; False if none has for long."""
        connections = cast("set[Connection]", self.connections)
        slowest = max(connections, key=lambda one: one.waited(now))
        if slowest.waited(now) < GIVES_WAY:
            return False
        slowest.give_up("there are too many connections, and this one waited longest")
        return True

    def start_in_turn(self, start: Callable[[], None]) -> None:
        """Starts a request that was sent ahead: one in each turn of the loop, whoever sent them."""
        self._ahead.append(start)
        if len(self._ahead) == 1:
            asyncio.get_running_loop().call_soon(self._start_next)

    def _start_next(self) -> None:
        self._ahead[0]()
        self._ahead.popleft()
        if self._ahead:
            asyncio.get_running_loop().call_soon(self._start_next)

"""State that all connections of a server share: whether it ends, and which request starts next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from uvicorn.server import ServerState


class State(ServerState):
    """Server state shared by all connections."""

    draining = False
    """Shutting down: each response from now on closes its connection, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead: deque[Callable[[], None]] = deque()

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

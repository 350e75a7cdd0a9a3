"""HTTP server: uvicorn with limits and graceful shutdown.

Shutdown drains: every request sent on a connection before it was closed is answered. Each response
from then on closes its connection and says so; new connections are accepted a little longer, since
a load balancer needs a moment to look elsewhere; an idle connection is closed once there is nothing
left to read on it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from chainrule.core.errors import ConfigError
from chainrule.service.protocol import Protocol
from chainrule.service.security import Application
from chainrule.service.state import State

LINGER = 0.5
"""Shutdown: seconds in which new connections are accepted, and idle ones are left open."""
LONGEST_DRAIN = 10.0
LEAVE = (1.5, 0.7)
"""Seconds after the longest drain, and after a second signal, in which the process ends in order;
then it ends as it is."""
LOOK = 0.02
"""Shutdown: seconds between two checks of the open connections."""
BACKLOG = 1024
"""Listen backlog: connections that the system queues until we accept them."""
RECEIVED = 64 * 1024
"""Bytes that the system keeps of what a connection sends, before we read them."""

SO_ATTACH_FILTER = 26
NO_SYN = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of TCP's flags
        (0x45, 0, 1, 0x02),  # continue if SYN is among them, else skip one
        (0x06, 0, 0, 0),  # keep nothing of the packet
        (0x06, 0, 0, 0xFFFFFFFF),  # keep all of it
    )
)
"""Packet filter in Linux's classic BPF: drops those that open a new connection."""


def listen(host: str, port: int) -> socket.socket:
    """Listening socket; port 0 takes any free one.

    Raises ConfigError if the port is taken or the address is not one of this machine.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError):
        raise ConfigError(f"no address {host!r} with port {port}: try 127.0.0.1") from None
    listener = socket.socket(family, kind, number)
    try:
        # Accepted sockets inherit it: what one connection sends is read in small parts.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
        if sys.platform != "win32":
            # On other systems it would take the port away from its owner.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} of {host} is not available ({error.strerror}): give another with --port"
        ) from None
    listener.setblocking(False)
    return listener


class Server(uvicorn.Server):
    """Serves one application on one socket: in the main thread by `run`, or beside it by `start`.

    SIGINT, SIGTERM and a hang-up drain, and `run` returns; a second one ends at once. Work that
    goes on for too long ends with the process. `on_drain` is called when draining begins: endless
    responses should end then.
    """

    def __init__(
        self,
        app: Application,
        listener: socket.socket,
        *,
        on_drain: Callable[[], None] | None = None,
    ) -> None:
        config = uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="auto", interface="asgi3", log_config=None,
            log_level="error", access_log=False, proxy_headers=False, server_header=False,
            backlog=BACKLOG,
        )  # fmt: skip
        super().__init__(config)
        self.listener = listener
        self.address = address_of(listener)
        self.server_state: State = State()
        self._on_drain = on_drain
        self._up = threading.Event()
        self._thread: threading.Thread | None = None
        self._timers: list[threading.Timer] = []

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until a signal, or `stop` in another thread."""
        super().run(sockets or [self.listener])

    def start(self) -> None:
        """Serves in a daemon thread; returns once the server answers."""
        self._thread = threading.Thread(target=self._run_beside, name="server", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # there are no more threads
            self.listener.close()
            raise
        while not self._up.wait(0.1):
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")

    def _run_beside(self) -> None:
        with suppress(SystemExit):  # uvicorn's, if the application did not start; `start` tells
            self.run()

    def stop(self) -> None:
        """Drains, and waits until that is done."""
        self.should_exit = True
        if self._thread:
            self._thread.join()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts accepting connections."""
        await super().startup(sockets)
        self._up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and a hang-up drain; uvicorn would raise them again at the end.

        A hang-up that is ignored, as under nohup, stays so.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        if signal.getsignal(signal.SIGTERM) == self.handle_exit:
            yield  # captured already, by the caller
            return
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for timer in self._timers:
                timer.cancel()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """First signal: drain; second: exit."""
        self.force_exit = self.should_exit
        self.should_exit = True
        seconds = LEAVE[1] if self.force_exit else LONGEST_DRAIN + LEAVE[0]
        timer = threading.Timer(seconds, os._exit, [0])
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    @property
    def draining(self) -> bool:
        """True once shutdown has begun."""
        return self.server_state.draining

    @property
    def connections(self) -> list[Protocol]:
        """Open connections."""
        return [one for one in self.server_state.connections if isinstance(one, Protocol)]

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; every fifth time all connections are checked."""
        if counter % 5 == 0:
            self._look_around()
        return await super().on_tick(counter)

    def _look_around(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in self.connections:
            connection.check(now)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Graceful shutdown: answers every request sent, then closes; see the module docstring."""
        self.server_state.draining = True
        if self._on_drain:
            self._on_drain()
        for connection in self.connections:
            connection.shutdown()
        loop = asyncio.get_running_loop()
        began = loop.time()
        listening = True
        while not self.force_exit and loop.time() < began + LONGEST_DRAIN:
            if listening and loop.time() > began + LINGER:
                listening = False
                await self._stop_listening()
            if not listening:
                self._close_quiet(loop.time())
                if not self.server_state.connections and not self.server_state.tasks:
                    break
            self._look_around()
            await asyncio.sleep(LOOK)
        for connection in self.connections:
            connection.transport.abort()
        await self.lifespan.shutdown()

    async def _stop_listening(self) -> None:
        """Accepts no more connections, except those already in the system's queue."""
        hold_back(self.listener)
        # A second descriptor of the same socket: closing the loop's own must not empty the queue.
        twin = self.listener.dup()
        for server in self.servers:
            server.close()
        waiting = []
        with twin, suppress(OSError):  # BlockingIOError: there are no more
            while True:
                waiting.append(twin.accept()[0])
        loop = asyncio.get_running_loop()
        for connection in waiting:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> Protocol:
        state = self.lifespan.state
        return Protocol(config=self.config, server_state=self.server_state, app_state=state)

    def _close_quiet(self, now: float) -> None:
        """Closes the idle connections that have nothing left to read."""
        for connection in self.connections:
            if connection.quiet(now, LINGER):
                end_of_sending(connection.transport)


def hold_back(listener: socket.socket) -> None:
    """Blocks new connections on Linux, while those in the queue stay.

    Otherwise one could open between our last look at the queue and the closing of the socket, send
    its request, and be cut. Now its client waits a second and is refused before it sends anything.
    Where the system lets only root do so, that one may be cut.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(NO_SYN)
        filtering = struct.pack("HP", len(NO_SYN) // 8, ctypes.addressof(program))
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtering)


def end_of_sending(transport: Any) -> None:
    """Closes a connection, unless bytes have arrived that the loop has not read yet.

    Immediately, not at the loop's next turn: a request that came in between would be lost.
    """
    pseudo = transport.get_extra_info("socket")
    with selectors.DefaultSelector() as selector:
        selector.register(pseudo, selectors.EVENT_READ)
        if selector.select(0):
            return
        with suppress(OSError), socket.fromfd(pseudo.fileno(), pseudo.family, pseudo.type) as twin:
            twin.shutdown(socket.SHUT_WR)
    transport.close()


def address_of(listener: socket.socket) -> str:
    """URL of a listening socket, such as http://127.0.0.1:8000."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

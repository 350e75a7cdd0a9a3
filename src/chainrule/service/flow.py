"""Flow control of a connection: when to read on, and how long a client has not read."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

LEAST_READ = 10 * 1024
"""Bytes of a waiting response that a client reads, to be one that reads."""


class Flow(FlowControl):
    """Flow control that reads on only while there is room for what comes."""

    def __init__(self, transport: Any, room: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._room = room

    def resume_reading(self) -> None:
        """Reads on; without effect while there is no room."""
        if self._room():
            super().resume_reading()


class Parting:
    """Transport of a response: closed behind it only once the request has come whole.

    Closing with unread data would discard the response before the client reads it; some clients
    read nothing before they have sent everything. Until then only our side is closed.
    """

    def __init__(self, transport: Any, coming: Callable[[], bool]) -> None:
        self._transport, self._coming = transport, coming
        self.due = False
        """True if the connection is to be closed at the request's end."""

    def write(self, data: bytes) -> None:
        """Sends data."""
        self._transport.write(data)

    def close(self) -> None:
        """Closes the connection, now or at the request's end."""
        self.due = self._coming()
        if not self.due:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()

    def is_closing(self) -> bool:
        """True once it is closed for both sides."""
        return bool(self._transport.is_closing())


class Unread:
    """Responses that wait for the client, and its progress in reading them."""

    def __init__(self, transport: Any, now: float) -> None:
        self._transport = transport
        self.left = 0
        """Bytes that waited when last looked at."""
        self._most, self._since = 0, now
        """Most bytes that waited since the client last read LEAST_READ of them, and when it did."""

    def seconds(self, now: float) -> float:
        """Seconds in which the client has read less than LEAST_READ of what waits for it."""
        left = self.left = waiting(self._transport)
        if not left or not self._most or self._most - left >= LEAST_READ:
            self._most, self._since = left, now
        self._most = max(self._most, left)
        return now - self._since


def waiting(transport: Any) -> int:
    """Bytes that wait for the client, on Linux with those in the system's queue; 0: none here."""
    bytes_here = int(transport.get_write_buffer_size())
    if bytes_here and sys.platform == "linux":
        import fcntl
        import termios

        with suppress(OSError):
            number = transport.get_extra_info("socket").fileno()
            queued = fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4))
            bytes_here += int(struct.unpack("i", queued)[0])
    return bytes_here

"""Early refusals: responses of the connection itself, before the application sees a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from chainrule.service.security import (
    CLOSE,
    NO_STORE,
    SECURITY_HEADERS,
    Application,
    Header,
    Message,
    Receive,
    Scope,
    Send,
    refuse,
    sentence,
    with_headers,
)

REASONS = {400: "Bad Request", 408: "Request Timeout"}


def refusal(status: int, text: str, *headers: Header) -> Application:
    """Application that refuses every request and closes the connection."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        # Closing with unread data would discard our response before the client reads it.
        while (await receive()).get("more_body"):
            pass
        await refuse(with_headers(send), status, text, [*headers, CLOSE])

    return refusing


def heard(app: Application, listen: Callable[[int], None]) -> Application:
    """Middleware: `app`, where `listen` is told the status of each response."""

    async def hearing(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                listen(message["status"])
            await send(message)

        # Cancelled, when the server ends: its connections are cut by then.
        with suppress(asyncio.CancelledError):
            await app(scope, receive, sent)

    return hearing


def raw_answer(status: int, text: str) -> bytes:
    """Refusal as bytes, for a client that has not sent a whole request."""
    body = sentence(text)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        CLOSE,
        *SECURITY_HEADERS,
        NO_STORE,
    ]
    lines = [f"HTTP/1.1 {status} {REASONS[status]}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", body])


def slow(phase: str, seconds: float) -> str:
    """Error message for a client that was too slow."""
    return f"the {phase} of the request took longer than {seconds:g} seconds"

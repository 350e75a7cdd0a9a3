"""Early refusals: responses of the connection itself, before the application sees a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
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
    values,
    with_headers,
)

REASONS = {400: "Bad Request", 408: "Request Timeout"}
LONGEST_HEAD = 16 * 1024
"""Bytes of a request's line and headers."""
MOST_HEADERS = 64


def objection(
    method: bytes, url: bytes, version: str, headers: Sequence[Header]
) -> tuple[int, str] | None:
    """(status, sentence) for a request that the connection itself refuses; None: a right one."""
    size = len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
    if size > LONGEST_HEAD or len(headers) > MOST_HEADERS:
        return 431, (
            f"{len(headers)} headers of {size:,} bytes: at most {MOST_HEADERS} of "
            f"{LONGEST_HEAD:,} bytes are read"
        )
    if not url.startswith(b"/") or method == b"CONNECT":
        return 400, "the request's target must be a path, such as /v1/model"
    if version not in ("1.0", "1.1"):
        return 400, "the request must be of HTTP 1.1"
    encodings = values(headers, b"transfer-encoding")
    if encodings and (encodings != ["chunked"] or values(headers, b"content-length")):
        return 400, "the body's length must be given, or its encoding be chunked, not both"
    return None


def refusal(status: int, text: str, *headers: Header) -> Application:
    """Application that refuses every request and closes the connection."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
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

"""Security middleware of every web application here: Host, Origin, token and body size.

A server on one's own machine is reachable from every page open in the browser. A foreign page can
send requests to it (so Origin is checked), or point its own name at 127.0.0.1 and then even read
the responses (DNS rebinding, CVE-2025-14279 of MLflow; so Host must be on a list).
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, TypeAlias

from chainrule.data.readers.archives import MIB
from chainrule.service.tokens import check_token, has_token, visit

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application, see https://asgi.readthedocs.io."""
Header: TypeAlias = tuple[bytes, bytes]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
MOST_BODIES = 32 * MIB
"""Most bytes of all request bodies in memory, without the first of each."""
SMALL_BODY = 16 * 1024
"""Bytes of each body for which there is always room: there are not many connections."""
WITHOUT_TOKEN = ("/healthz", "/readyz")
"""Routes without a token, for load balancers: they reveal only that the server is up."""
SAFE_METHODS = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE: Header = (b"cache-control", b"no-store")
RETRY: Header = (b"retry-after", b"1")
CLOSE: Header = (b"connection", b"close")
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
ORIGIN = re.compile(r"(https?)://(.+)")
PORTS = {"http": "80", "https": "443"}


def guard(
    app: Application,
    *,
    hosts: frozenset[str],
    token: str | None = None,
    body_limit: int = MIB,
) -> Application:
    """Guard: `app` behind checks of Host, Origin, token and body size; each refusal one sentence.

    `hosts` are the allowed names of the server, without ports. With a token, a request needs
    `Authorization: Bearer TOKEN`, or the cookie set by a visit to /?token=TOKEN. A request with a
    body (any method but GET and HEAD) reaches `app` with its body in one message, at most
    `body_limit` bytes. HEAD reaches it as GET, and only the headers of its response are sent.
    Every response gets SECURITY_HEADERS, and no-store unless it has a Cache-Control of its own.
    Raises ValueError for a token that is too short.
    """
    check_token(token)
    names = frozenset(name.lower().strip("[]") for name in hosts)
    held = 0

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal held
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
            return
        send = with_headers(send)
        method, headers = scope["method"], scope["headers"]
        if refusal := objection(method, headers, names):
            await refuse(send, *refusal, unread(headers))
            return
        if (
            token
            and scope["path"] not in WITHOUT_TOKEN
            and not has_token(values(headers, b"authorization"), values(headers, b"cookie"), token)
        ):
            if method in SAFE_METHODS and (
                arrived := visit(scope.get("query_string", b""), scope.get("raw_path", b"/"), token)
            ):
                await answer(send, 200, arrived[1], arrived[0])
                return
            await refuse(send, 401, *NO_TOKEN, unread(headers, (b"www-authenticate", b"Bearer")))
            return
        if method in SAFE_METHODS:
            await app(*(as_get(scope, send) if method == "HEAD" else (scope, receive, send)))
            return
        length = declared(headers)
        if length > body_limit:
            await refuse(send, 413, too_large(length, body_limit), unread(headers))
            return
        share = 0

        def room(size: int) -> bool:
            """Counts a body that has grown to this size; False if there is no room for it."""
            nonlocal held, share
            more = max(0, size - SMALL_BODY) - share
            if held + more > MOST_BODIES:
                return False
            held, share = held + more, share + more
            return True

        try:
            body = await read_body(receive, body_limit, room)
            if isinstance(body, bytes):
                await app(scope, given(body, receive), send)
            elif body:
                await refuse(send, *body, unread(headers, RETRY if body[0] == 429 else CLOSE))
        finally:
            held -= share

    return guarded


NO_TOKEN = ("no valid token: send the header Authorization: Bearer TOKEN, as serve was given it",)
BUSY = "too many uploads at once: send it again in a second"


def too_large(length: int, limit: int) -> str:
    """Error message for a body of that many bytes."""
    return f"a body of {length:,} bytes or more: at most {limit:,} are accepted, split it"


def objection(
    method: str, headers: Sequence[Header], names: frozenset[str]
) -> tuple[int, str] | None:
    """(status, sentence) for a wrong Host or Origin; None if both are right."""
    hosts = values(headers, b"host")
    match = HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    if not match:
        return 400, "the header Host must be given once: a name or address, and a port if any"
    if match[1].strip("[]") not in names:
        return 421, (
            f"the header Host names {match[1][:80]!r}, which is not this server: call it by "
            f"{' or '.join(sorted(names))}"
        )
    if method in SAFE_METHODS:
        return None
    origins = values(headers, b"origin")
    if not origins:
        sites = values(headers, b"sec-fetch-site")
        if all(site in ("same-origin", "none") for site in sites):
            return None
        return (
            403,
            "the request comes from a page of another origin: only our own pages may send it",
        )
    if len(origins) == 1 and same_origin(origins[0].lower(), match[1], match[2]):
        return None
    return (
        403,
        f"the header Origin names {origins[0][:80]!r}: only pages of this server may send this",
    )


def same_origin(origin: str, host: str, port: str | None) -> bool:
    """True if a page of that origin comes from this host and port."""
    parts = ORIGIN.fullmatch(origin)
    match = HOST.fullmatch(parts[2]) if parts else None
    if not parts or not match:
        return False
    usual = PORTS[parts[1]]
    return (match[1], match[2] or usual) == (host, port or usual)


def values(headers: Sequence[Header], name: bytes) -> list[str]:
    """All values of a header; its name in lower case."""
    return [value.decode("latin-1") for key, value in headers if key == name]


def declared(headers: Sequence[Header]) -> int:
    """Content-Length; -1 without one."""
    lengths = values(headers, b"content-length")
    return int(lengths[0]) if lengths and lengths[0].isdecimal() else -1


def unread(headers: Sequence[Header], *more: Header) -> list[Header]:
    """Headers of a response sent before the body was read.

    A client that waits for `100 Continue` may send no body, or one that we do not expect.
    """
    return [*more, CLOSE] if values(headers, b"expect") else [*more]


async def read_body(
    receive: Receive, limit: int, room: Callable[[int], bool]
) -> bytes | tuple[int, str] | None:
    """The whole body; (status, sentence) to refuse it; None if the client has disconnected.

    `room` is asked as the body grows, so that what is only declared takes none.
    """
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            return 413, too_large(size, limit)
        if not room(size):
            return 429, BUSY
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body in one message, then waits for the disconnect."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return first.pop() if first else await receive()

    return received


def as_get(scope: Scope, send: Send) -> tuple[Scope, Receive, Send]:
    """The arguments with which an application takes HEAD for GET; its body is dropped.

    A body without end, such as a stream of events, ends at once: its client seems gone.
    """

    async def received() -> Message:
        return {"type": "http.disconnect"}

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return {**scope, "method": "GET"}, received, sent


def with_headers(send: Send) -> Send:
    """A `send` that adds the security headers to every response."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            kept = any(name == NO_STORE[0] for name, _ in headers)
            headers += SECURITY_HEADERS if kept else (*SECURITY_HEADERS, NO_STORE)
            message["headers"] = headers
        await send(message)

    return sent


def sentence(text: str) -> bytes:
    """JSON body of a refusal."""
    return json.dumps({"error": text}).encode()


async def refuse(send: Send, status: int, text: str, headers: Iterable[Header] = ()) -> None:
    """Sends a refusal: one sentence in JSON."""
    await answer(send, status, sentence(text), [(b"content-type", b"application/json"), *headers])


async def answer(send: Send, status: int, body: bytes, headers: Iterable[Header] = ()) -> None:
    """Sends a whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})

"""HTTP connection: uvicorn's protocol with limits on time, size and number.

uvicorn waits for ever for a slow header or body. Here every connection is in one of the phases
below, each with a timeout; the server checks twice a second and closes the overdue ones.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from chainrule.service.security import (
    CLOSE,
    NO_STORE,
    RETRY,
    SECURITY_HEADERS,
    Application,
    Header,
    Receive,
    Scope,
    Send,
    refuse,
    sentence,
    values,
    with_headers,
)

HEAD, BODY, ANSWER, IDLE = "head", "body", "answer", "idle"
"""A connection waits for a request's line and headers, its body, our answer, the next request."""
SECONDS = {HEAD: 5.0, BODY: 10.0, IDLE: 15.0}
STALLED = 10.0
"""Seconds that a client may leave a response unread."""
LONGEST_HEAD = 16 * 1024
MOST_HEADERS = 64
MOST_CONNECTIONS = 256
"""Most connections: those above it get one response, 429; those above twice as many, none."""
REASONS = {400: "Bad Request", 408: "Request Timeout"}


class State(ServerState):
    """Server state shared by all connections."""

    draining = False
    """Shutting down: each response from now on closes its connection, and says so."""


class Protocol(HttpToolsProtocol):
    """Connection with limits."""

    server_state: State

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.enter(HEAD)
        self.head_bytes = 0
        self.heard = False
        """True once a byte of the request has arrived."""
        self.stalled: float | None = None
        """Time since which the client has left our response unread."""
        self.running: RequestResponseCycle | None = None
        """The request being answered; `cycle` is the newest one, which may wait for its turn."""

    def enter(self, phase: str) -> None:
        """Starts the connection's next phase."""
        self.phase, self.since = phase, self.loop.time()

    def busy(self) -> bool:
        """True while a request waits for our response, or for its turn."""
        return bool(self.pipeline) or not (self.cycle is None or self.cycle.response_complete)

    def connection_made(self, transport: Any) -> None:
        """Accepts the connection, if there are not too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self.app = refusal(429, "too many connections: try again in a second", RETRY)
        if len(self.connections) > 2 * MOST_CONNECTIONS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; uvicorn notifies only the newest request."""
        super().connection_lost(exc)
        self.pipeline.clear()
        if self.running and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and counts the bytes of request line and headers."""
        if self.phase == IDLE:
            self.enter(HEAD)
        self.heard = True
        if self.phase == HEAD:
            self.head_bytes += len(data)
        super().data_received(data)
        if self.phase == HEAD and self.head_bytes > LONGEST_HEAD:
            self.send_400_response(f"line and headers of more than {LONGEST_HEAD:,} bytes")

    def on_message_begin(self) -> None:
        """A request begins, perhaps pipelined behind another."""
        super().on_message_begin()
        self.enter(HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers, which were never checked, are dropped."""
        if self.phase == HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Starts the application, unless the request is refused."""
        if wrong := self._objection():
            self.app = refusal(*wrong)
        before = self.cycle
        self.enter(BODY)
        self.head_bytes = 0
        super().on_headers_complete()
        if not self.pipeline:
            self.running = self.cycle
        if self.server_state.draining:
            # The newest response closes the connection; one before it, still to come, does not.
            self.cycle.keep_alive = False
            if before and not before.response_started:
                before.keep_alive = True

    def _objection(self) -> tuple[int, str] | None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > LONGEST_HEAD or len(self.headers) > MOST_HEADERS:
            return 431, (
                f"{len(self.headers)} headers of {size:,} bytes: at most {MOST_HEADERS} of "
                f"{LONGEST_HEAD:,} bytes are read"
            )
        if not self.url.startswith(b"/"):
            return 400, "the request's target must be a path, such as /v1/model"
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            return 400, "the request must be of HTTP 1.1"
        encodings = values(self.headers, b"transfer-encoding")
        if encodings and (encodings != ["chunked"] or values(self.headers, b"content-length")):
            return 400, "the body's length must be given, or its encoding be chunked, not both"
        return None

    def on_message_complete(self) -> None:
        """The body is complete."""
        super().on_message_complete()
        self.enter(ANSWER if self.busy() else IDLE)

    def on_response_complete(self) -> None:
        """The response is complete; an early one leaves a body still to come."""
        if self.pipeline:
            self.running = self.pipeline[-1][0]
        super().on_response_complete()
        self._unset_keepalive_if_required()
        if self.phase == ANSWER and not self.busy():
            self.enter(IDLE)

    def pause_writing(self) -> None:
        """The client has stopped reading."""
        self.stalled = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self.stalled = None
        super().resume_writing()

    def shutdown(self) -> None:
        """Shutdown: the response to the newest request closes the connection."""
        if self.cycle and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not a request in one sentence, and closes the connection."""
        # Not in place of the response to an earlier request.
        alone = not self.pipeline and (self.phase == BODY or not self.busy())
        if alone and not (self.busy() and self.cycle.response_started):
            self.transport.write(raw_answer(400, f"not a request as we read them: {msg}"))
        self.transport.close()

    def quiet(self, now: float, seconds: float) -> bool:
        """True if it is idle and has been for that many seconds."""
        waits = self.phase == IDLE or (self.phase == HEAD and not self.heard)
        return waits and not self.busy() and now - self.since > seconds

    def check(self, now: float) -> None:
        """Closes the connection if its phase has lasted too long."""
        if self.stalled is not None and now - self.stalled > STALLED:
            self.transport.abort()
        elif self.phase == ANSWER or now - self.since <= SECONDS[self.phase]:
            return
        elif self.phase == BODY:
            # Unless there was an early response, the application still waits for the body.
            if self.cycle and not self.cycle.response_started:
                self.transport.write(raw_answer(408, slow(self.phase)))
            self.transport.close()
        elif not self.busy():
            if self.phase == HEAD and self.heard:
                self.transport.write(raw_answer(408, slow(self.phase)))
            self.transport.close()


def slow(phase: str) -> str:
    """Error message for a client that was too slow."""
    return f"the {phase} of the request took longer than {SECONDS[phase]:g} seconds"


def refusal(status: int, text: str, *headers: Header) -> Application:
    """Application that refuses every request and closes the connection."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        # Closing with unread data would discard our response before the client reads it.
        while (await receive()).get("more_body"):
            pass
        await refuse(with_headers(send), status, text, [*headers, CLOSE])

    return refusing


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

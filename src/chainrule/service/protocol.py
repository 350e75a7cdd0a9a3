"""HTTP connection: uvicorn's protocol with limits on time, size and number.

uvicorn waits for ever for a slow header or body. Here every connection is in one of the phases
below, each with a timeout; the server checks twice a second and closes the overdue ones. Of the
requests that a client sends ahead a few are parsed, and the rest stays unread. A request to upgrade
to another protocol is answered as if it did not ask.
"""

from __future__ import annotations

from math import inf
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chainrule.data.readers.archives import MIB
from chainrule.service.early import LONGEST_HEAD, heard, objection, raw_answer, refusal, slow
from chainrule.service.flow import Flow, Parting, Unread
from chainrule.service.security import RETRY, declared
from chainrule.service.state import State

HEAD, BODY, ANSWER, IDLE = "head", "body", "answer", "idle"
"""A connection waits for a request's line and headers, its body, our answer, the next request."""
SECONDS = {HEAD: 5.0, BODY: 10.0, ANSWER: inf, IDLE: 15.0}
LEAST_SENT = 64 * 1024
"""Bytes of a body that prolong its time: a slow link is no reason to cut a client."""
STALLED = 10.0
"""Seconds in which a client must read a part of a response that waits for it, see `Unread`."""
MOST_AHEAD = 16
"""Most requests of a connection that wait for their turn; what follows them is not parsed yet."""
SLICE = 1024
"""Bytes parsed at a time, so that few requests are begun beyond MOST_AHEAD."""
PAUSE = 1.0
"""Seconds in which a connection is not read after a response of 429, which asks for as long."""
MOST_UNWANTED = 16 * MIB
"""Bytes of a body that are read after its response, so that the client can read that."""
OTHER_PROTOCOL = (b"upgrade", b"http2-settings")
MOST_CONNECTIONS = 256
"""Most connections; each one above takes the place of one that keeps us waiting. Where there is no
such one, it gets one response, 429, and those above twice as many none."""


class Protocol(HttpToolsProtocol):
    """Connection with limits."""

    server_state: State

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.enter(HEAD)
        self.head_bytes = 0
        self.heard = False
        """True once a byte of the request has arrived."""
        self.held = b""
        """What was received and is not parsed yet."""
        self.body_left = self.body_seen = self.unwanted = 0
        """Bytes of the body: to come, as declared; since the phase began; after the response."""
        self.upgrading = self.paused = self.next_waited = False
        self.parting: Parting | None = None
        self.running: RequestResponseCycle | None = None
        """The request being answered; `cycle` is the newest one, which may wait for its turn."""

    def enter(self, phase: str) -> None:
        """Starts the connection's next phase."""
        self.phase, self.since = phase, self.loop.time()

    def busy(self) -> bool:
        """True while a request waits for our response, or for its turn."""
        waits = bool(self.pipeline or self.held)
        return waits or not (self.cycle is None or self.cycle.response_complete)

    def connection_made(self, transport: Any) -> None:
        """Accepts the connection, if there are not too many."""
        super().connection_made(transport)
        self.unread = Unread(transport, self.loop.time())
        self.flow = Flow(transport, lambda: not (self.pipeline or self.held or self.paused))
        self.app = heard(self.app, self.pause)
        count = len(self.connections)
        if count > MOST_CONNECTIONS and not self.server_state.make_room(self.loop.time()):
            self.app = refusal(429, "too many connections: try again in a second", RETRY)
            if count > 2 * MOST_CONNECTIONS:
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; uvicorn notifies only the newest request."""
        super().connection_lost(exc)
        self.pipeline.clear()
        self.held = b""
        if self.running and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parses what arrives, or keeps it while requests before it wait for their turn."""
        if self.held:
            self.held += data
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Feeds the parser slice by slice, and counts the bytes of request line and headers."""
        at = 0
        while at < len(data) and not self.transport.is_closing():
            if len(self.pipeline) >= MOST_AHEAD or self.paused:
                self.held = data[at:]
                self.flow.pause_reading()
                return
            if self.phase == IDLE:
                self.enter(HEAD)
            self.heard = True
            piece = data[at : at + max(SLICE, self.body_left)]
            if self.phase == HEAD:
                self.head_bytes += len(piece)
            at += self._feed(piece)
            if self.phase == HEAD and self.head_bytes > LONGEST_HEAD:
                self.send_400_response(f"line and headers of more than {LONGEST_HEAD:,} bytes")

    def _feed(self, piece: bytes) -> int:
        """Feeds the parser; number of bytes taken, fewer behind headers that ask for an upgrade."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as error:
            self._ignore_upgrade()
            return int(error.args[0])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        return len(piece)

    def _ignore_upgrade(self) -> None:
        """Parses the headers again without the upgrade.

        The parser takes what follows them for another protocol, and drops it or takes it for a
        request: it would be the body.
        """
        if not self.upgrading:
            return
        self.upgrading = False
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [method + b" " + self.url + b" HTTP/" + version]
        lines += [
            name + b": " + value for name, value in self.headers if name not in OTHER_PROTOCOL
        ]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self._feed(b"\r\n".join([*lines, b"", b""]))

    def _parse_held(self) -> None:
        """Goes on with what was held back."""
        data, self.held = self.held, b""
        self._parse(data)
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def pause(self, status: int) -> None:
        """Reads nothing for a while after a response that asks the client to come later."""
        if status == 429 and not self.server_state.draining and not self.paused:
            self.paused = True
            self.flow.pause_reading()
            self.loop.call_later(PAUSE, self.read_on)

    def read_on(self) -> None:
        """Ends the pause."""
        if self.paused:
            self.paused = False
            self.enter(self.phase)
            self._parse_held()

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
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self.upgrading = True
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if wrong := objection(method, self.url, version, self.headers):
            self.app = refusal(*wrong)
        before = self.cycle
        self.head_bytes = self.body_seen = self.unwanted = 0
        self.body_left = max(0, declared(self.headers))
        super().on_headers_complete()
        self.enter(BODY)
        cycle = self.cycle
        self.parting = Parting(self.transport, lambda: cycle is self.cycle and self.phase == BODY)
        cycle.transport = cast(Any, self.parting)
        if not self.pipeline:
            self.running = cycle
        if self.server_state.draining:
            # The newest response closes the connection; one before it, still to come, does not.
            self.cycle.keep_alive = False
            if before and not before.response_started:
                before.keep_alive = True

    def on_body(self, body: bytes) -> None:
        """A part of the body; enough of it prolongs its time."""
        self.body_left -= len(body)
        self.body_seen += len(body)
        if self.body_seen >= LEAST_SENT:
            self.enter(BODY)
            self.body_seen = 0
        if self.cycle.response_complete:
            self.unwanted += len(body)
            if self.unwanted > MOST_UNWANTED:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete."""
        if self.upgrading:
            return
        self.body_left = 0
        super().on_message_complete()
        self.enter(ANSWER if self.busy() else IDLE)
        if self.parting and self.parting.due:
            self.transport.close()

    def on_response_complete(self) -> None:
        """The response is complete; an early one leaves a body still to come."""
        if self.pipeline:
            self.running = self.pipeline[-1][0]
        self.next_waited = True
        super().on_response_complete()
        self.next_waited = False
        self._unset_keepalive_if_required()
        if self.held and not self.paused:
            self.loop.call_soon(self._parse_held)
        if self.phase == ANSWER and not self.busy():
            self.enter(IDLE)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Starts a request; one that was sent ahead when its turn comes."""
        if self.next_waited:
            start = super()._start_asgi_task
            self.server_state.start_in_turn(lambda: start(cycle, app))
        else:
            super()._start_asgi_task(cycle, app)

    def shutdown(self) -> None:
        """Shutdown: the response to the newest request closes the connection."""
        self.read_on()
        if self.cycle and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not a request in one sentence, and closes the connection."""
        # Not in place of the response to an earlier request, nor behind that to this one.
        alone = not self.pipeline and (self.phase == BODY or not self.busy())
        asked = self.cycle and (self.phase == BODY or self.busy())
        if alone and not (asked and self.cycle.response_started):
            self.transport.write(raw_answer(400, f"not a request as we read them: {msg}"))
        self.transport.close()

    def quiet(self, now: float, seconds: float) -> bool:
        """True if it is idle and has been for that many seconds."""
        waits = self.phase == IDLE or (self.phase == HEAD and not self.heard)
        return waits and not self.busy() and now - self.since > seconds

    def waited(self, now: float) -> float:
        """Seconds for which the client has kept us waiting; 0: it waits for us, or is gone."""
        if self.pipeline or self.held or self.paused:
            self.since = now  # nothing more is read: it is not the client who is slow
        unread = self.unread.seconds(now)
        if self.unread.left:
            return unread
        ours = self.phase == ANSWER or (self.phase != BODY and self.busy())
        return 0.0 if ours or self.transport.is_closing() else now - self.since

    def check(self, now: float) -> None:
        """Closes the connection if its client has kept us waiting for too long."""
        if self.waited(now) > (STALLED if self.unread.left else SECONDS[self.phase]):
            self.give_up(slow(self.phase, SECONDS[self.phase]))

    def give_up(self, reason: str) -> None:
        """Closes the connection, with a response of 408 if the client waits for one and reads."""
        if self.unread.left:
            self.transport.abort()
            return
        asked = self.phase == BODY and self.cycle and not self.cycle.response_started
        if asked or (self.phase == HEAD and self.heard):
            self.transport.write(raw_answer(408, reason))
        self.transport.close()

"""Live view of a training run: its page, its events as they happen, and commands to it.

Events go out as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html):
one response that lasts as long as the run. A page that connects late, or reconnects, first gets the
whole event log.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from queue import Full

from chainrule.monitor.control import Command, read_command
from chainrule.monitor.events import EventLog
from chainrule.service.security import (
    LOOPBACK,
    RETRY,
    Application,
    Receive,
    Scope,
    Send,
    answer,
    guard,
    refuse,
)
from chainrule.web.bundle import content_type, files

LOOK_EVERY = 0.1
"""Seconds between two polls of the event log."""
STILL_HERE = 10.0
"""Keep-alive: seconds of silence after which a comment is sent."""
LARGEST_COMMAND = 4096
MOST_PAGES = 32
"""Most pages connected at the same time."""


@dataclass
class Audience:
    """Audience: number of connected pages, now and ever."""

    now: int = 0
    ever: int = 0


def live_view(
    event_log: EventLog, give: Callable[[Command], None], audience: Audience, token: str
) -> Application:
    """Application behind the guard: GET / and the page's files, GET /events, POST /control.

    Nobody sees or steers the run without the token, whatever user of the machine they are.
    `give` is called with each command, in the server's thread.
    """
    pages = {f"/{name}": content for name, content in files().items()}
    pages["/"] = pages["/live.html"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        path, method = scope["path"], scope["method"]
        if path == "/control":
            if method != "POST":
                await _wrong_method(send, path, "POST")
            else:
                await _control(receive, send, give)
        elif path != "/events" and path not in pages:
            await refuse(send, 404, f"there is nothing at {path[:80]!r}: the live view is at /")
        elif method != "GET":
            await _wrong_method(send, path, "GET, HEAD")
        elif path in pages:
            kind = content_type(path).encode()
            await answer(send, 200, pages[path], [(b"content-type", kind)])
        elif audience.now >= MOST_PAGES:
            await refuse(send, 503, f"{MOST_PAGES} pages are connected already: close one")
        else:
            audience.now += 1
            audience.ever += 1
            try:
                await _events(event_log, receive, send)
            finally:
                audience.now -= 1

    return guard(app, hosts=LOOPBACK, token=token, body_limit=LARGEST_COMMAND)


async def _wrong_method(send: Send, path: str, right: str) -> None:
    await refuse(send, 405, f"{path} takes {right}", [(b"allow", right.encode())])


async def _control(receive: Receive, send: Send, give: Callable[[Command], None]) -> None:
    body = (await receive()).get("body", b"")
    try:
        command = read_command(json.loads(body))
    except (ValueError, RecursionError) as error:
        malformed = isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError)
        sentence = (
            'the body is not JSON: send such as {"action": "pause"}' if malformed else str(error)
        )
        await refuse(send, 400 if malformed else 422, sentence)
        return
    try:
        give(command)
    except Full:
        await refuse(send, 429, "too many commands wait: send it again in a second", [RETRY])
        return
    done = json.dumps({"accepted": command.action}).encode()
    await answer(send, 202, done, [(b"content-type", b"application/json")])


async def _events(event_log: EventLog, receive: Receive, send: Send) -> None:
    """Sends the event log, then new events, until the run has ended or the page is closed."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await _part(send, "retry: 1000\n\n")
    left = asyncio.ensure_future(_until_left(receive))
    last, silence = 0, 0.0
    try:
        while not left.done():
            events, closed = event_log.after(last)
            if events:
                last, silence = events[-1].number, 0.0
                text = "".join(f"id: {event.number}\ndata: {event.line}\n\n" for event in events)
                await _part(send, text)
            elif closed:
                break
            elif silence >= STILL_HERE:
                silence = 0.0
                await _part(send, ": still here\n\n")
            silence += LOOK_EVERY
            await asyncio.wait([left], timeout=LOOK_EVERY)
    finally:
        left.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _part(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

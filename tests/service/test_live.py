"""The live view over HTTP: the page, events as they happen, commands, and who is kept out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from queue import Full
from time import monotonic, sleep
from typing import Any

import pytest

from chainrule.monitor.control import Command
from chainrule.monitor.events import EventLog
from conftest import oracle

TOKEN = "0123456789abcdef-token"
KEY = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Live:
    port: int
    audience: Any
    event_log: EventLog
    commands: list[Command] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, KEY | headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response, content

    def command(self, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
        status, _, content = self.ask("POST", "/control", json.dumps(body).encode(), **headers)
        return status, json.loads(content)

    def listen(self) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/events", headers=KEY)
        return connection, connection.getresponse()


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    for package in ("uvicorn", "httptools"):
        oracle(package)
    from chainrule.service import server as serving
    from chainrule.service.live import Audience, live_view
    from chainrule.service.server import Server, listen

    # It is looked at in test_endings.py; here it would be half a second a test.
    monkeypatch.setattr(serving, "LINGER", 0.02)
    event_log, audience = EventLog(), Audience()
    listener = listen("127.0.0.1", 0)
    made = Live(listener.getsockname()[1], audience, event_log)
    server = Server(
        live_view(event_log, lambda one: made.commands.append(one), audience, TOKEN),
        listener,
        on_drain=event_log.close,
    )
    server.start()
    yield made
    server.stop()


def events(response: HTTPResponse, count: int) -> list[dict[str, Any]]:
    """The next so many events of a stream."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        line = response.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
    return found


def eventually(condition: Any) -> bool:
    end = monotonic() + 10
    while not condition() and monotonic() < end:
        sleep(0.01)
    return bool(condition())


@pytest.mark.parametrize(
    ("path", "kind", "inside"),
    [
        ("/", "text/html", b"Watch it learn"),
        ("/live.html", "text/html", b"live_page.js"),
        ("/live_page.js", "text/javascript", b"EventSource"),
        ("/style.css", "text/css", b"--ground"),
    ],
)
def test_the_page_and_its_files_come_with_their_kind_and_a_strict_policy(
    live: Live, path: str, kind: str, inside: bytes
) -> None:
    status, response, content = live.ask("GET", path)
    assert status == 200
    assert response.headers["content-type"] == f"{kind}; charset=utf-8"
    assert inside in content
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert response.headers["x-content-type-options"] == "nosniff"
    size = response.headers["content-length"]
    status, response, content = live.ask("HEAD", path)
    assert (status, content, response.headers["content-length"]) == (200, b"", size)


def test_the_headers_alone_of_the_stream_are_no_stream(live: Live) -> None:
    live.event_log.add("begin", run="mine")
    connection = HTTPConnection("127.0.0.1", live.port, timeout=10)
    connection.request("HEAD", "/events", headers=KEY)
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"")
    assert response.headers["content-type"].startswith("text/event-stream")
    connection.request("GET", "/style.css", headers=KEY)  # answered once the stream has ended
    assert connection.getresponse().status == 200
    connection.close()
    status, response, _ = live.ask("POST", "/events", b"")
    assert (status, response.headers["allow"]) == (405, "GET, HEAD")


def test_who_comes_late_gets_what_happened_and_then_what_happens(live: Live) -> None:
    live.event_log.add("begin", run="mine")
    live.event_log.add("observation", step=1)
    connection, response = live.listen()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [event["kind"] for event in events(response, 2)] == ["begin", "observation"]
    live.event_log.add("observation", step=2)
    assert events(response, 1) == [{"kind": "observation", "step": 2}]
    connection.close()


def test_several_pages_see_the_same_and_all_streams_end_with_the_run(live: Live) -> None:
    pages = [live.listen() for _ in range(3)]
    live.event_log.add("begin", run="mine")
    for _, response in pages:
        assert events(response, 1) == [{"kind": "begin", "run": "mine"}]
    assert live.audience.now == live.audience.ever == 3
    live.event_log.add("end", ending="finished")
    live.event_log.close()
    for connection, response in pages:
        assert json.loads(response.read().split(b"data: ")[1])["kind"] == "end"
        connection.close()
    assert eventually(lambda: live.audience.now == 0)


def test_a_page_that_is_closed_leaves_the_others_and_its_place(live: Live) -> None:
    (left, gone), (stayed, response) = live.listen(), live.listen()
    assert eventually(lambda: live.audience.now == 2)
    gone.close()
    left.close()
    assert eventually(lambda: live.audience.now == 1)
    live.event_log.add("observation", step=5)
    assert events(response, 1)[0]["step"] == 5
    stayed.close()


def test_more_pages_than_there_are_places_are_refused(live: Live, monkeypatch: Any) -> None:
    monkeypatch.setattr("chainrule.service.live.MOST_PAGES", 1)
    connection, _ = live.listen()
    assert eventually(lambda: live.audience.now == 1)
    status, _, content = live.ask("GET", "/events")
    assert status == 503
    assert json.loads(content)["error"] == "1 pages are connected already: close one"
    connection.close()


def test_commands_arrive_in_their_order(live: Live) -> None:
    assert live.command({"action": "pause"}) == (202, {"accepted": "pause"})
    assert live.command({"action": "rate", "factor": 0.5})[0] == 202
    origin = f"http://127.0.0.1:{live.port}"
    assert live.command({"action": "stop"}, Origin=origin)[0] == 202
    assert live.commands == [Command("pause"), Command("rate", 0.5), Command("stop")]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "the body is not JSON"),
        (b"{", 400, "the body is not JSON"),
        (b"\xff", 400, "the body is not JSON"),
        (b"[" * 4000, 400, "the body is not JSON"),
        (b'"pause"', 422, "a command is a table"),
        (b'{"action": "explode"}', 422, "choose one of"),
        (b'{"action": "rate", "rate": NaN}', 422, "give a number"),
        (b" " * 5000, 413, "at most 4,096"),
    ],
)
def test_what_is_no_command_gets_one_sentence_and_does_nothing(
    live: Live, body: bytes, status: int, said: str
) -> None:
    answered, _, content = live.ask("POST", "/control", body)
    assert answered == status
    assert said in json.loads(content)["error"]
    assert live.commands == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/control", 405),
        ("PUT", "/control", 405),
        ("POST", "/events", 405),
        ("DELETE", "/", 405),
        ("GET", "/nothing", 404),
        ("GET", "/../live.py", 404),
        ("POST", "/nothing", 404),
    ],
)
def test_other_paths_and_methods_are_refused(
    live: Live, method: str, path: str, status: int
) -> None:
    answered, _, content = live.ask(method, path)
    assert answered == status
    assert set(json.loads(content)) == {"error"}


@pytest.mark.parametrize("path", ["/", "/live_page.js", "/events", "/control", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_s_name_is_refused_on_every_path(live: Live, method: str, path: str) -> None:
    status, _, content = live.ask(method, path, b"{}", Host="evil.test")
    assert status == 421
    assert "evil.test" in json.loads(content)["error"]


def test_a_page_of_another_site_can_give_no_command(live: Live) -> None:
    for origin in ("http://evil.test", "null", f"http://127.0.0.1:{live.port + 1}"):
        assert live.command({"action": "stop"}, Origin=origin)[0] == 403
    assert live.command({"action": "stop"}, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert live.commands == []


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer 0123456789abcdef-wrong"])
@pytest.mark.parametrize("path", ["/", "/live_page.js", "/events", "/control", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_token_nobody_sees_or_steers_the_run(
    live: Live, method: str, path: str, key: str
) -> None:
    body = json.dumps({"action": "stop"}).encode()
    status, response, content = live.ask(method, path, body, Authorization=key)
    assert status == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "no valid token" in json.loads(content)["error"]
    assert live.commands == []
    assert live.audience.ever == 0


def test_readers_from_other_sites_take_nobody_s_place(live: Live, monkeypatch: Any) -> None:
    monkeypatch.setattr("chainrule.service.live.MOST_PAGES", 1)
    for _ in range(3):
        told = {"Authorization": "", "Sec-Fetch-Site": "cross-site", "Cookie": "chainrule=1"}
        assert live.ask("GET", "/events", None, **told)[0] == 401
    connection, response = live.listen()
    assert response.status == 200
    connection.close()


def test_a_flood_of_commands_is_refused_until_some_are_executed(live: Live) -> None:
    from chainrule.monitor.control import MOST_COMMANDS, View

    view = View()
    for _ in range(MOST_COMMANDS):
        view.give(Command("rate"))
    with pytest.raises(Full):
        view.give(Command("rate"))
    view.commands.get()
    view.give(Command("stop"))
    live.commands = FullList()
    status, told = live.command({"action": "pause"})
    assert (status, "too many commands" in told["error"]) == (429, True)


class FullList(list[Command]):
    """A queue without room."""

    def append(self, command: Command) -> None:
        raise Full

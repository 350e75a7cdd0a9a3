"""The doorkeeper: who may ask, from which page, with which token, and how much."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chainrule.service import security as guarding
from chainrule.service.security import (
    LOOPBACK,
    MOST_BODIES,
    SMALL_BODY,
    guard,
    objection,
)
from chainrule.service.tokens import cookie_of, crumb_of

TOKEN = "0123456789abcdef-token"
COOKIE = cookie_of(TOKEN)


def told(
    app: Any,
    method: str = "POST",
    path: str = "/",
    *,
    query: bytes = b"",
    body: tuple[bytes, ...] = (b"",),
    **headers: str,
) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of what an application answers."""
    sent: list[dict[str, Any]] = []
    parts = [
        {"type": "http.request", "body": part, "more_body": n + 1 < len(body)}
        for n, part in enumerate(body)
    ]

    async def receive() -> dict[str, Any]:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    named = {"host": "127.0.0.1:8000"} | {k.replace("_", "-"): v for k, v in headers.items()}
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query,
        "headers": [(name.encode(), value.encode()) for name, value in named.items() if value],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], answered, b"".join(part["body"] for part in rest)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An application that sends the body back."""
    message = await receive() if scope["method"] == "POST" else {"body": b"hello"}
    await guarding.answer(send, 200, message["body"])


HOSTS = [
    ("127.0.0.1", None),
    ("127.0.0.1:8000", None),
    ("localhost", None),
    ("LocalHost:1", None),
    ("[::1]", None),
    ("[::1]:65535", None),
    ("evil.test", 421),
    ("evil.test:8000", 421),
    ("127.0.0.1.evil.test", 421),
    ("localhost.evil.test:8000", 421),
    ("evil-localhost", 421),
    ("127.0.0.2", 421),
    ("0.0.0.0:8000", 421),
    ("localhost.", 421),
    ("[::2]:8000", 421),
    ("2130706433", 421),
    ("0x7f.1", 421),
    ("169.254.169.254", 421),
    ("", 400),
    (" ", 400),
    (":8000", 400),
    ("localhost:", 400),
    ("localhost:port", 400),
    ("localhost:123456", 400),
    ("localhost, evil.test", 400),
    ("evil.test@localhost", 400),
    ("localhost/evil.test", 400),
    ("localhost#", 400),
    ("::1", 400),
    ("[::1", 400),
    ("loc\u00e4lhost", 400),
]
ORIGINS = [
    ("http://127.0.0.1:8000", None),
    ("HTTP://127.0.0.1:8000", None),
    ("http://127.0.0.1", 403),
    ("http://127.0.0.1:3000", 403),
    ("http://localhost:8000", 403),
    ("https://127.0.0.1", 403),
    ("http://evil.test", 403),
    ("http://evil.test:8000", 403),
    ("https://127.0.0.1.evil.test", 403),
    ("http://127.0.0.1:8000.evil.test", 403),
    ("http://127.0.0.1:8000@evil.test", 403),
    ("http://127.0.0.1:8000/", 403),
    ("null", 403),
    ("file://", 403),
    ("127.0.0.1:8000", 403),
    ("http://", 403),
    ("ftp://127.0.0.1:8000", 403),
    ("http://127.0.0.1:8000 http://evil.test", 403),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_only_our_own_names_are_taken_for_host(host: str, status: int | None) -> None:
    for method in ("GET", "POST"):
        refusal = objection(method, [(b"host", host.encode("latin-1"))], LOOPBACK)
        assert (refusal and refusal[0]) == status


@pytest.mark.parametrize(("origin", "status"), ORIGINS)
def test_only_our_own_pages_may_send(origin: str, status: int | None) -> None:
    headers = [(b"host", b"127.0.0.1:8000"), (b"origin", origin.encode())]
    for method in ("POST", "PUT", "OPTIONS", "DELETE"):
        refusal = objection(method, headers, LOOPBACK)
        assert (refusal and refusal[0]) == status
    assert objection("GET", headers, LOOPBACK) is None


@pytest.mark.parametrize(
    ("origin", "host", "fits"),
    [
        ("http://localhost", b"localhost:80", True),
        ("https://localhost", b"localhost:443", True),
        ("http://localhost:80", b"localhost", True),
        ("https://localhost", b"localhost:80", False),
        ("http://[::1]:8000", b"[::1]:8000", True),
    ],
)
def test_a_port_that_is_not_named_is_the_usual_one(origin: str, host: bytes, fits: bool) -> None:
    headers = [(b"host", host), (b"origin", origin.encode())]
    assert (objection("POST", headers, LOOPBACK) is None) == fits


def test_host_and_origin_are_there_once() -> None:
    host = (b"host", b"localhost")
    assert objection("GET", [], LOOPBACK) == objection("GET", [host, host], LOOPBACK)
    assert objection("GET", [host, host], LOOPBACK)
    origin = (b"origin", b"http://localhost")
    assert objection("POST", [host, origin], LOOPBACK) is None
    assert objection("POST", [host, origin, origin], LOOPBACK)


@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)],
)
def test_without_origin_the_browser_tells_where_a_request_comes_from(
    site: str, status: int
) -> None:
    assert told(guard(echo, hosts=LOOPBACK), sec_fetch_site=site)[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": "Bearer"}, 401),
        ({"authorization": "Bearer \u00e4"}, 401),
        ({}, 401),
        ({"cookie": f"a=b; {COOKIE}={crumb_of(TOKEN)}"}, 200),
        ({"cookie": f"{COOKIE}={TOKEN}"}, 401),
        ({"cookie": f"chainrule={crumb_of(TOKEN)}"}, 401),
        ({"cookie": f"{COOKIE}={crumb_of(TOKEN)}", "authorization": "Bearer wrong"}, 401),
    ],
)
def test_with_a_token_nobody_else_gets_in(headers: dict[str, str], status: int) -> None:
    app = guard(echo, hosts=LOOPBACK, token=TOKEN)
    for method in ("GET", "POST"):
        answered, sent, body = told(app, method, **headers)
        assert answered == status
        if status == 401:
            assert sent["www-authenticate"] == "Bearer"
            assert "token" in json.loads(body)["error"]


def test_the_first_visit_with_the_token_leaves_a_cookie_and_not_the_token() -> None:
    app = guard(echo, hosts=LOOPBACK, token=TOKEN)
    status, headers, body = told(app, "GET", "/page", query=f"a=1&token={TOKEN}&b=2".encode())
    assert status == 200
    # A page of ours leads on: after a redirect from elsewhere a browser would not send the cookie.
    assert b'<meta http-equiv="refresh" content="0;url=/page?a=1&amp;b=2">' in body
    assert TOKEN.encode() not in body
    cookie, *settings = headers["set-cookie"].split("; ")
    assert settings == ["HttpOnly", "SameSite=Strict", "Path=/"]
    assert TOKEN not in cookie
    assert told(app, "GET", cookie=cookie)[0] == 200
    assert told(app, "GET", query=b"token=wrong")[0] == 401
    assert told(app, "POST", query=f"token={TOKEN}".encode())[0] == 401


@pytest.mark.parametrize(
    "path",
    [
        "//evil.test",
        "/\\evil.test",
        "\\/evil.test",
        "///evil.test",
        "/\\/\\evil.test",
        "\\\\evil.test",
    ],
)
def test_no_visit_leads_to_another_host(path: str) -> None:
    app = guard(echo, hosts=LOOPBACK, token=TOKEN)
    for method in ("GET", "HEAD"):
        _, headers, body = told(app, method, path, query=f"token={TOKEN}".encode())
        assert "location" not in headers
        assert b'url=/evil.test"' in body
        assert b'href="/evil.test"' in body


def test_what_a_visit_asks_for_is_no_markup() -> None:
    app = guard(echo, hosts=LOOPBACK, token=TOKEN)
    body = told(app, "GET", '/"><script>', query=f"token={TOKEN}&%22%3E=%3Cb%3E".encode())[2]
    assert b"<script>" not in body
    assert b"<b>" not in body


def test_two_servers_of_one_machine_keep_their_own_cookies() -> None:
    assert cookie_of(TOKEN) != cookie_of(TOKEN[::-1])
    assert cookie_of(TOKEN).rpartition("-")[2] not in crumb_of(TOKEN)


def test_a_load_balancer_needs_no_token_but_the_right_host() -> None:
    app = guard(echo, hosts=LOOPBACK, token=TOKEN)
    assert told(app, "GET", "/healthz")[0] == told(app, "GET", "/readyz")[0] == 200
    assert told(app, "GET", "/healthz", host="evil.test")[0] == 421


@pytest.mark.parametrize(
    "token", ["short", "", "with a space in the middle", "\u00e4" * 20, "a" * 201]
)
def test_a_token_that_is_easily_guessed_or_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="give 16 to 200 letters"):
        guard(echo, hosts=LOOPBACK, token=token)


def test_the_application_gets_the_whole_body_at_once() -> None:
    app = guard(echo, hosts=LOOPBACK, body_limit=10)
    assert told(app, body=(b"01234", b"", b"56789"))[2] == b"0123456789"


@pytest.mark.parametrize("length", ["11", "99999999999999999999", ""])
def test_a_body_above_the_limit_is_refused(length: str) -> None:
    app = guard(echo, hosts=LOOPBACK, body_limit=10)
    status, _, body = told(app, body=(b"01234", b"56789", b"a"), content_length=length)
    assert status == 413
    assert "at most 10 are accepted" in json.loads(body)["error"]


def test_many_bodies_at_a_time_are_refused_until_there_is_room() -> None:
    limit = MOST_BODIES // 4 + SMALL_BODY
    assert at_the_same_time(limit, [limit] * 5) == [200, 200, 200, 200, 429]
    assert at_the_same_time(limit, [limit] * 4 + [SMALL_BODY] * 300) == [200] * 304


def test_what_is_declared_and_not_sent_takes_no_room() -> None:
    assert at_the_same_time(MOST_BODIES, [10] * 300, declared=MOST_BODIES) == [200] * 300


def at_the_same_time(limit: int, sizes: list[int], declared: int = 0) -> list[int]:
    """Statuses of so many bodies of which none is answered before all have come; then of one."""
    gate = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await guarding.answer(send, 200, b"")

    app = guard(slow, hosts=LOOPBACK, body_limit=limit)
    content = bytes(max(sizes))

    async def one(size: int) -> int:
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content[:size], "more_body": False}

        async def send(message: Any) -> None:
            statuses.append(message.get("status", 0))

        length = str(declared or size).encode()
        headers = [(b"host", b"localhost"), (b"content-length", length)]
        await app(
            {"type": "http", "method": "POST", "path": "/", "headers": headers}, receive, send
        )
        return max(statuses)

    async def all_at_once() -> list[int]:
        tasks = [asyncio.create_task(one(size)) for size in sizes]
        await asyncio.sleep(0)
        gate.set()
        answered = await asyncio.gather(*tasks)
        assert await one(limit) == 200
        return answered

    return asyncio.run(all_at_once())


def test_who_waits_for_our_word_before_sending_is_sent_away() -> None:
    app = guard(echo, hosts=LOOPBACK, body_limit=10)
    assert told(app, content_length="11", expect="100-continue")[1]["connection"] == "close"
    assert "connection" not in told(app, content_length="11")[1]


def test_every_answer_has_these_headers_and_no_others() -> None:
    status, headers, _ = told(guard(echo, hosts=LOOPBACK), body=(b"body",))
    assert status == 200
    assert headers == {
        "cache-control": "no-store",
        "content-length": "4",
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
    assert (
        told(guard(echo, hosts=LOOPBACK), host="evil.test")[1].items()
        >= {key: value for key, value in headers.items() if key != "content-length"}.items()
    )


def test_what_is_no_request_of_http_is_left_alone() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    for kind in ("lifespan", "websocket"):
        asyncio.run(guard(app, hosts=LOOPBACK)({"type": kind}, None, None))
    assert seen == ["lifespan"]


def test_head_reaches_an_application_as_get_and_its_body_is_dropped() -> None:
    app = guard(echo, hosts=LOOPBACK)
    status, headers, body = told(app, "HEAD")
    assert (status, headers["content-length"], body) == (200, "5", b"")
    assert told(app, "GET")[2] == b"hello"

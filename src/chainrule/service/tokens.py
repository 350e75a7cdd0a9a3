"""Tokens: who has one, the cookie that stands for it, and the page of a first visit."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from html import escape
from urllib.parse import parse_qsl, urlencode

SHORTEST_TOKEN = 16
TOKEN = re.compile(r"[!-~]{16,200}")


def check_token(token: str | None) -> None:
    """Raises ValueError for a token that is too short, too long, or cannot stand in a header."""
    if token is not None and not TOKEN.fullmatch(token):
        raise ValueError(
            f"a token of {len(token)} characters: give {SHORTEST_TOKEN} to 200 letters, digits or "
            "symbols, without spaces, such as python -c 'import secrets; "
            "print(secrets.token_urlsafe())' prints"
        )


def has_token(authorizations: Sequence[str], cookies: Sequence[str], token: str) -> bool:
    """True if a request with these headers has the token, or the cookie set for it."""
    if authorizations:
        kind, _, shown = authorizations[0].partition(" ")
        return kind.lower() == "bearer" and equal(shown.strip(), token)
    crumbs = [crumb.strip().partition("=") for crumb in ";".join(cookies).split(";")]
    wanted = cookie_of(token)
    return any(name == wanted and equal(value, crumb_of(token)) for name, _, value in crumbs)


def visit(
    query: bytes, raw_path: bytes, token: str
) -> tuple[list[tuple[bytes, bytes]], bytes] | None:
    """Cookie for a visit with the token, and a page that goes on without it; else None.

    A page, not a redirect: of a browser that comes from elsewhere, only a navigation that begins
    here brings a cookie of SameSite=Strict.
    """
    asked = parse_qsl(query.decode("latin-1"))
    if not any(name == "token" and equal(value, token) for name, value in asked):
        return None
    rest = urlencode([(name, value) for name, value in asked if name != "token"])
    # Neither // nor /\, which would lead to another host.
    path = "/" + raw_path.decode("latin-1").lstrip("/\\")
    cookie = f"{cookie_of(token)}={crumb_of(token)}; HttpOnly; SameSite=Strict; Path=/"
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"set-cookie", cookie.encode())]
    return headers, onward(path + ("?" + rest if rest else ""))


def onward(address: str) -> bytes:
    """Page that leads to another address at once."""
    told = escape(address, quote=True)
    return (
        f'<!doctype html><meta http-equiv="refresh" content="0;url={told}"><title>chainrule</title>'
        '<link rel="icon" href="data:,">'
        f'<a href="{told}">Continue</a>'
    ).encode()


def crumb_of(token: str) -> str:
    """Cookie of a token: a hash, which does not reveal the token."""
    return hashlib.sha256(b"cookie of chainrule:" + token.encode()).hexdigest()


def cookie_of(token: str) -> str:
    """Name of the cookie; browsers keep one of a name for all ports of a host."""
    return f"chainrule-{crumb_of(token + ' name')[:8]}"


def equal(one: str, other: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(one.encode(), other.encode())

"""Clients of Python, and Chromium driven from it: client.py NAME ADDRESS FOLDER GETS BODIES."""

from __future__ import annotations

import base64
import http.client
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

Ask = Callable[[str, str, str, bytes | None], tuple[int, str | None, bytes]]
"""(method, address, type of the body, body) -> status, Content-Length, body."""


def with_urllib(method: str, address: str, kind: str, body: bytes | None) -> tuple:
    """One request by urllib.request."""
    headers = {"Content-Type": kind} if body else {}
    request = urllib.request.Request(address, body, headers, method=method)
    try:
        response = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status, response.headers["Content-Length"], response.read()


def with_http_client(method: str, address: str, kind: str, body: bytes | None) -> tuple:
    """One request by http.client, on one connection."""
    parts = urlsplit(address)
    if parts.netloc not in KEPT:
        KEPT[parts.netloc] = http.client.HTTPConnection(parts.netloc)
    headers = {"Content-Type": kind} if body else {}
    KEPT[parts.netloc].request(method, parts.path, body, headers)
    response = KEPT[parts.netloc].getresponse()
    return response.status, response.headers["Content-Length"], response.read()


KEPT: dict[str, http.client.HTTPConnection] = {}
"""One connection for all of http.client's requests."""


def with_requests(method: str, address: str, kind: str, body: bytes | None) -> tuple:
    """One request by requests."""
    import requests

    response = requests.request(method, address, data=body, headers={"Content-Type": kind})
    return response.status_code, response.headers.get("Content-Length"), response.content


def with_urllib3(method: str, address: str, kind: str, body: bytes | None) -> tuple:
    """One request by urllib3."""
    import urllib3

    response = urllib3.request(method, address, body=body, headers={"Content-Type": kind})
    return response.status, response.headers.get("Content-Length"), response.data


def with_httpx(method: str, address: str, kind: str, body: bytes | None) -> tuple:
    """One request by httpx."""
    import httpx

    response = httpx.request(method, address, content=body, headers={"Content-Type": kind})
    return response.status_code, response.headers.get("Content-Length"), response.content


FETCH = """async ([method, address, kind, body]) => {
  const bytes = body === null ? undefined : Uint8Array.from(atob(body), c => c.charCodeAt(0));
  let sent = bytes, headers = kind ? { "Content-Type": kind } : {};
  if (kind === "form") {
    sent = new FormData(); headers = {};
    sent.append("files", new Blob([bytes]), "picture.png");
  }
  const response = await fetch(address, { method, headers, body: sent });
  const got = new Uint8Array(await response.arrayBuffer());
  let text = "";
  for (const one of got) text += String.fromCharCode(one);
  return [response.status, response.headers.get("content-length"), btoa(text)];
}"""


def with_chromium(given: list[str]) -> None:
    """Asks from the service's own page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(given[0])

        def ask(method: str, address: str, kind: str, body: bytes | None) -> tuple:
            packed = base64.b64encode(body).decode() if body else None
            status, length, got = page.evaluate(FETCH, [method, address, kind, packed])
            return status, length, base64.b64decode(got)

        answer_all(ask, *given, forms=True)
        browser.close()


def answer_all(
    ask: Ask, address: str, folder: str, gets: str, bodies: str, *, forms: bool = False
) -> None:
    """Asks every question and prints the answers."""

    def tell(question: str, answer: tuple) -> None:
        status, length, body = answer
        print(question, status, length or "-", base64.b64encode(body).decode(), sep="\t")

    for path in gets.split(","):
        for method in ("GET", "HEAD"):
            tell(f"{method} {path}", ask(method, address + path, "", None))
    pairs = [pair.split("=") for pair in bodies.split(",")]
    for name, kind in [*pairs, *([["form", "form"]] if forms else [])]:
        content = Path(folder, "picture" if name == "form" else name).read_bytes()
        tell(name, ask("POST", f"{address}/v1/predict", kind, content))


if __name__ == "__main__":
    name, *given = sys.argv[1:]
    if name == "chromium":
        with_chromium(given)
    else:
        answer_all(globals()[f"with_{name}"], *given)

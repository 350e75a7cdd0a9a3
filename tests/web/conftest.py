"""A real browser: Debian's Chromium, driven by Playwright; pages served without a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainrule.data.dataset import DIGITS, Dataset
from chainrule.experiments.job import prepare, run
from chainrule.experiments.recipes import RECIPES
from chainrule.nn.model_file import Model, load_model, save
from chainrule.web.bundle import files, model_as_dict
from conftest import missing, oracle

ADDRESS = "http://page.test/"
PHONE, LAPTOP, WIDE = (375, 812), (1280, 900), (1600, 1000)
"""Viewports, width and height in CSS pixels."""

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running Chromium; without one the tests are skipped, or fail where it is required.

    For a module, not longer: while Playwright is there, no other test can run an event loop.
    """
    playwright = oracle("playwright.sync_api")
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        missing("Chromium is not installed: apt-get install chromium to test the pages in it")
    with playwright.sync_playwright() as driver:
        # Chromium's own sandbox needs privileges that a container rarely has.
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[OpenPage]:
    """visit(address, size=, touch=, dark=) opens a page; any error that it logs fails the test."""
    contexts = []
    errors: list[str] = []

    def visit(
        address: str,
        size: tuple[int, int] = LAPTOP,
        *,
        touch: bool = False,
        dark: bool = False,
        given: dict[str, bytes] | None = None,
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            has_touch=touch,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        if given is not None:
            context.route(f"{ADDRESS}**", lambda route: answer(route, given))
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert errors == []


def answer(route: Any, given: dict[str, bytes]) -> None:
    name = route.request.url.removeprefix(ADDRESS) or "index.html"
    kinds = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
    content = given.get(name)
    if content is None:
        route.fulfill(status=404, body="{}")
        return
    kind = kinds.get(name.rsplit(".")[-1], "application/json")
    route.fulfill(body=content, content_type=f"{kind}; charset=utf-8")


@pytest.fixture(scope="session")
def reader(mnist: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network that reads digits: a smaller t99, on 12,000 images, distorted."""
    settings = replace(RECIPES["t99"], layers=(784, 256, 128, 10), examples=12_000, epochs=8)
    job = prepare(settings, mnist)
    for _ in run(job):
        pass
    place = tmp_path_factory.mktemp("reader") / "reader.safetensors"
    return save(Model(job.network, DIGITS, (28, 28)), place)


@pytest.fixture(scope="session")
def reader_page(reader: Path) -> dict[str, bytes]:
    """The drawing page's files, with the reader's weights."""
    description = model_as_dict(load_model(reader), "reader")
    return files() | {"v1/weights": json.dumps(description).encode()}

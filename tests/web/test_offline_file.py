"""The page in one file: from the disk, without a network, allowed to run nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.nn.model_file import load_model
from chainrule.web.bundle import model_as_dict, self_contained
from web.conftest import OpenPage
from web.test_drawing import answer, centred, draw


@pytest.fixture
def file(reader: Path, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(self_contained("index.html", model_as_dict(load_model(reader), "reader")))
    return path


def test_an_exported_page_reads_a_drawing_from_the_disk_and_asks_nobody(
    visit: OpenPage, file: Path
) -> None:
    page = visit("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(file.as_uri())
    page.wait_for_selector("#page:not([hidden])")
    draw(page, centred(3))
    assert answer(page) == "3"
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_file_s_policy_forbids_what_is_not_in_it(chromium: Any, file: Path) -> None:
    page = chromium.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text))
    page.goto(file.as_uri())
    page.evaluate(
        """() => {
            const added = document.createElement("script");
            added.textContent = "window.added = true";
            document.head.append(added);
        }"""
    )
    assert page.evaluate("window.added") is None
    assert any("Content Security Policy" in text for text in refused)
    page.close()

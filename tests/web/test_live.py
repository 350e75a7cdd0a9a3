"""A run is watched in a browser to its end, steered from there, and replayed from a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from chainrule.data.dataset import Dataset
from chainrule.experiments.settings import Settings
from chainrule.runs.origin import Origin
from chainrule.runs.replay import replay_of
from chainrule.runs.request import Request
from chainrule.runs.run import train_run
from chainrule.service import live_view as live
from chainrule.web.bundle import self_contained
from conftest import oracle
from web.conftest import PHONE, WIDE, OpenPage

SLOW = Settings(
    layers=(784, 48, 10), activation=("tanh",), epochs=100_000, batch_size=8, validation=100,
    optimizer="sgd", learning_rate=0.1,
)  # fmt: skip
CHARTS = ("loss", "accuracy", "rate", "ratio", "stuck")
SHORT = 8

Train = Callable[..., "Training"]


class Training:
    """`chainrule train --watch` in a thread of this process."""

    def __init__(self, few: Path, settings: Settings) -> None:
        self.said: list[str] = []
        self.ending = ""
        self.request = Request(
            settings=settings, origin=Origin(str(few)), run="seen", offline=True, pictures=False,
        )  # fmt: skip
        self.thread = Thread(target=self._run)

    def _run(self) -> None:
        opened = live.opened(0, browser=False, say=self.said.append)
        with np.errstate(all="ignore"), opened as view:
            self.ending = train_run(self.request, say=self.said.append, view=view).ending

    @property
    def address(self) -> str:
        while not self.said:
            assert self.thread.is_alive()
        return self.said[0].removeprefix("watch it learn: ")

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = Path("runs/seen/watch.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == kind]


@pytest.fixture
def train(mnist: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Train]:
    oracle("uvicorn")
    images, labels = (part[:500] for part in mnist.train)
    few = tmp_path / "few.npz"
    names = ("x_train", "y_train", "x_test", "y_test")
    pixels = np.rint(images * 255).astype(np.uint8).reshape(-1, 28, 28)
    np.savez(few, **dict(zip(names, (pixels, labels, pixels[:50], labels[:50]), strict=True)))
    monkeypatch.chdir(tmp_path)
    # Signals can be caught in the main thread alone.
    monkeypatch.setattr("chainrule.runs.interrupt.signal.signal", lambda *_: None)
    monkeypatch.setattr(live, "FIRST_PAGE", 20.0)
    begun: list[Training] = []

    def begin(settings: Settings = SLOW) -> Training:
        begun.append(Training(few, settings))
        begun[-1].thread.start()
        return begun[-1]

    yield begin
    for training in begun:
        training.thread.join(timeout=60)
        assert not training.thread.is_alive()


def shown(page: Any, name: str) -> str:
    figure = page.locator("#figures div", has_text=name).locator("dd")
    return str(figure.inner_text())


def wait_for_text(page: Any, selector: str, text: str) -> None:
    page.locator(selector, has_text=text).wait_for(timeout=60_000)


def test_a_run_is_watched_paused_slowed_and_stopped(train: Train, visit: OpenPage) -> None:
    training = train()
    page = visit(training.address)
    wait_for_text(page, "#run-line", "784 → 48 → 10")
    page.wait_for_selector("#chart-loss .line.series-1")
    for name in CHARTS:
        assert page.locator(f"#chart-{name} svg").is_visible()
    assert page.locator("#first-layer canvas").count() == 24
    page.click("#pause")
    wait_for_text(page, "#said", "paused")
    assert page.locator("#pause").inner_text() == "Go on"
    assert page.locator("#pause").get_attribute("aria-pressed") == "true"
    before = shown(page, "Epoch")
    page.click("#rate-half")
    wait_for_text(page, "#said", "learning rate x 0.5, from 0.1 to 0.05")
    page.fill("#rate", "0.02")
    page.keyboard.press("Enter")
    wait_for_text(page, "#said", "from 0.05 to 0.02")
    assert page.locator("#changes-list li").count() == 2
    assert shown(page, "Epoch").split(" of ")[0] == before.split(" of ")[0]
    late = visit(training.address)
    wait_for_text(late, "#said", "from 0.05 to 0.02")
    page.click("#pause")
    wait_for_text(page, "#figures", "0.02")
    late.click("#stop")
    for one in (page, late):
        wait_for_text(one, "#said", "The run has ended: stopped")
        assert one.locator("#stop").is_disabled()
    training.thread.join(timeout=60)
    assert training.ending == "stopped"
    actions = [event["action"] for event in training.events("by_hand")]
    assert actions == ["pause", "rate", "rate", "resume", "stop"]


def test_live_training_is_seen_to_its_end(train: Train, visit: OpenPage) -> None:
    training = train(replace(SLOW, epochs=SHORT))
    page = visit(training.address)
    wait_for_text(page, "#said", "The run has ended: finished")
    assert shown(page, "Epoch") == f"{SHORT} of {SHORT}"
    table = page.locator("#chart-accuracy table")
    assert "Accuracy: the last values" in table.inner_text()
    training.thread.join(timeout=60)
    assert training.ending == "finished"


def test_when_its_page_is_closed_training_goes_on(train: Train, visit: OpenPage) -> None:
    training = train()
    page = visit(training.address)
    page.wait_for_selector("#chart-loss .line.series-1")
    step = page.locator("#figures").inner_text()
    page.close()
    again = visit(training.address)
    again.wait_for_selector("#chart-loss .line.series-1")
    again.wait_for_function("before => document.getElementById('figures').innerText !== before",
                            arg=step)  # fmt: skip
    again.click("#stop")
    wait_for_text(again, "#said", "The run has ended: stopped")


@pytest.fixture
def report_file(train: Train, visit: OpenPage, tmp_path: Path) -> Path:
    training = train(replace(SLOW, epochs=SHORT))
    wait_for_text(visit(training.address), "#said", "The run has ended")
    training.thread.join(timeout=60)
    path = tmp_path / "report.html"
    path.write_text(self_contained("live.html", replay_of(tmp_path / "runs" / "seen")))
    return path


@pytest.mark.parametrize("size", [PHONE, WIDE])
def test_a_report_replays_the_run_from_the_disk_offline(
    visit: OpenPage, report_file: Path, size: tuple[int, int]
) -> None:
    page = visit("about:blank", size)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(report_file.as_uri())
    wait_for_text(page, "h1", "How seen learned")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.locator("#position-text").inner_text() == f"epoch {SHORT}.00"
    assert page.locator("#steering").is_hidden()
    line = "() => document.querySelector('#chart-loss .line.series-0').getAttribute('d').length"
    whole = page.evaluate(line)
    page.locator("#position").fill("0")
    assert page.evaluate(line) < whole
    assert page.locator("#position-text").inner_text() != f"epoch {SHORT}.00"
    page.click("#play")
    assert page.locator("#play").inner_text() == "Pause"
    page.wait_for_function("() => Number(document.getElementById('position').value) > 0")
    page.click("#play")
    assert page.locator("#play").inner_text() == "Play"
    assert page.locator("#result table").count() >= 3
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_chart_is_read_by_mouse_and_by_keys(visit: OpenPage, report_file: Path) -> None:
    page = visit(report_file.as_uri(), WIDE)
    plot = page.locator("#chart-loss .plot")
    plot.hover()
    readout = plot.locator(".readout")
    assert readout.is_visible()
    assert readout.inner_text().startswith("epoch ")
    page.mouse.move(0, 0)
    assert readout.is_hidden()
    plot.focus()
    page.keyboard.press("End")
    assert readout.inner_text().startswith(f"epoch {SHORT}")
    last = readout.inner_text()
    page.keyboard.press("ArrowLeft")
    assert readout.inner_text() != last
    assert page.locator("#chart-loss [aria-live]").inner_text().startswith("epoch ")
    page.keyboard.press("Escape")
    assert readout.is_hidden()

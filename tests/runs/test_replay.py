"""`chainrule report` puts a run into one file: its replay, its figures, its pictures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from chainrule.runs.pictures import PICTURES
from chainrule.runs.replay import replay_of


def embedded(path: Path) -> dict[str, Any]:
    """The data inside a page."""
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="embedded">(.*?)</script>', text)
    return json.loads(data)


def test_a_run_becomes_one_file_with_its_pictures_figures_and_settings(chainrule, mine) -> None:
    done = chainrule("report", "mine")
    assert done.code == 0, done.err
    assert "runs/mine/report.html: " in done.err
    inside = embedded(mine / "report.html")
    assert tuple(inside["pictures"]) == PICTURES
    assert all(url.startswith("data:image/png;base64,") for url in inside["pictures"].values())
    figures = json.loads((mine / "report.json").read_text())
    assert inside["report"]["test_accuracy"] == figures["test_accuracy"]
    assert inside["report"]["confusion"] == figures["confusion"]
    assert inside["config"]["settings"]["epochs"] == 2
    html = (mine / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "Content-Security-Policy" in html


def test_a_run_that_nobody_watched_is_replayed_by_its_epochs(mine) -> None:
    events = replay_of(mine)["events"]
    assert [event["kind"] for event in events] == ["begin", "epoch", "epoch", "end"]
    assert events[0]["run"] == "mine"
    assert events[0]["widths"] == [784, 256, 128, 10]
    history = (mine / "history.jsonl").read_text().splitlines()
    assert events[1] == {"kind": "epoch"} | json.loads(history[0])
    assert "test images right" in events[-1]["text"]


def test_a_run_that_was_watched_is_replayed_as_it_was_seen(mine) -> None:
    seen = [
        {"kind": "begin", "run": "mine", "looked_at": [300, 99], "shape": [28, 28]},
        {"kind": "observation", "step": 3, "epoch": 0.1, "learning_rate": None, "layers": [],
         "training": [0.5, None], "mistakes": []},
    ]  # fmt: skip
    (mine / "watch.jsonl").write_text("".join(json.dumps(event) + "\n" for event in seen))
    assert replay_of(mine)["events"] == seen


def test_the_page_can_be_named_and_json_says_what_was_written(chainrule, mine) -> None:
    done = chainrule("report", mine, "else.html", "--json")
    assert done.code == 0
    result = json.loads(done.out)
    assert result == {
        "page": "else.html",
        "bytes": Path("else.html").stat().st_size,
        "events": 4,
    }
    assert not (mine / "report.html").exists()


def test_where_the_data_lay_stays_at_home(mine, few) -> None:
    assert str(few.parent) in (mine / "config.toml").read_text()
    config = replay_of(mine)["config"]
    assert config["data"]["source"] == "few.csv"
    assert "checksums" not in config


def test_what_could_end_the_script_is_escaped(chainrule, mine) -> None:
    hostile = {"kind": "end", "ending": "</script><script>alert(1)</script>", "text": "<!--"}
    (mine / "watch.jsonl").write_text(json.dumps(hostile) + "\n")
    assert chainrule("report", "mine").code == 0
    assert "alert(1)</script>" not in (mine / "report.html").read_text()
    assert embedded(mine / "report.html")["events"] == [hostile]


def test_a_run_without_pictures_or_figures_is_still_shown(chainrule, mine) -> None:
    for path in mine.glob("*.png"):
        path.unlink()
    (mine / "report.json").unlink()
    inside = replay_of(mine)
    assert inside["pictures"] == {}
    assert inside["report"] is None
    (mine / "report.json").write_text("[]")
    assert replay_of(mine)["report"] is None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("watch.jsonl", b"nonsense\n", "watch.jsonl, line 1: no JSON"),
        ("history.jsonl", b"nonsense\n", "not a history of epochs"),
        ("history.jsonl", b"7\n", "not a history of epochs"),
        ("history.jsonl", b"\xff\n", "not a history of epochs"),
        ("curves.png", b"<svg>", "not a PNG picture"),
        ("config.toml", b"=", "not TOML"),
    ],
)
def test_a_damaged_run_is_refused_in_one_sentence(
    chainrule, mine, name: str, content: bytes, said: str
) -> None:
    (mine / name).write_bytes(content)
    done = chainrule("report", "mine")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (mine / "report.html").exists()


def test_no_run_no_history_and_no_page_are_refused_in_words(chainrule, mine) -> None:
    missing = chainrule("report", "yours")
    assert (missing.code, missing.err) == (2, "error: no run 'yours': there are mine\n")
    assert "give it a name ending in .html" in chainrule("report", "mine", "page.pdf").err
    (mine / "history.jsonl").unlink()
    assert "train it to the end first" in chainrule("report", "mine").err
    shutil.rmtree("runs")
    assert "train one first" in chainrule("report", "mine").err

"""`chainrule train --watch`: the same bits as without, everything shown is written down."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from chainrule.monitor import watcher as watching
from chainrule.monitor.control import Command
from chainrule.runs.folder import contents
from chainrule.service import live_view as live
from conftest import oracle
from monitor.conftest import TRAIN, events, weights


def test_a_run_that_is_watched_comes_to_the_same_bits(chainrule, few, view) -> None:
    for recipe in ("fast", "accurate"):  # with dropout, noise, distortion, an average
        plain = chainrule(*TRAIN, "--recipe", recipe, "--data", few, "--run", f"{recipe}-plain")
        view()
        watched = chainrule(
            *TRAIN, "--recipe", recipe, "--data", few, "--run", f"{recipe}-seen", "--watch"
        )
        assert (plain.code, watched.code) == (0, 0), watched.err
        assert weights(f"{recipe}-plain").tobytes() == weights(f"{recipe}-seen").tobytes()
        assert len(events(f"{recipe}-seen", "observation")) > 5


def test_everything_that_was_shown_is_in_the_run_folder(chainrule, few, view) -> None:
    view()
    done = chainrule(*TRAIN, "--data", few, "--run", "seen", "--watch")
    assert done.code == 0, done.err
    (begin,) = events("seen", "begin")
    assert (begin["run"], begin["recipe"], begin["epochs"]) == ("seen", "fast", 3)
    assert begin["widths"] == [784, 256, 128, 10]
    assert begin["looked_at"] == [300, 100]
    assert (begin["shape"], begin["batches"]) == ([28, 28], 10)
    seen = events("seen", "observation")
    steps = [one["step"] for one in seen]
    assert steps == sorted(steps)
    assert steps[-1] == 30
    assert seen[-1]["epoch"] == 3
    assert all(0 <= one["validation"][1] <= 1 for one in seen)
    assert all(0 < one["layers"][0][0] < 1 for one in seen[1:-1])
    assert {m[0] for one in seen for m in one["mistakes"]} == {
        event["index"] for event in events("seen", "image")
    }
    assert [one["epoch"] for one in events("seen", "epoch")] == [1, 2, 3]
    history = Path("runs/seen/history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in history] == [
        {name: epoch[name] for name in epoch if name != "kind"} for epoch in events("seen", "epoch")
    ]
    assert events("seen", "weights")[-1]["units"] == 24
    (end,) = events("seen", "end")
    assert end["ending"] == "finished"
    assert "test images right" in end["text"]
    assert "by_hand.jsonl" not in contents(Path("runs/seen"))


def test_a_run_that_diverges_tells_its_end(chainrule, few, view) -> None:
    view()
    done = chainrule(
        "train", "--layers", "784,50,10", "--optimizer", "sgd", "--learning-rate", "1e9",
        "--data", few, "--run", "wild", "--epochs", 9, "--watch", "--quiet",
    )  # fmt: skip
    assert done.code == 1
    assert events("wild", "end")[0]["ending"] == "diverged"


def test_a_damaged_watch_file_costs_the_curves_and_not_the_run(chainrule, few, view) -> None:
    view((15, Command("stop")))
    chainrule(*TRAIN, "--data", few, "--run", "cut", "--watch")
    Path("runs/cut/watch.jsonl").write_text("nonsense\n")
    view()
    done = chainrule("train", "--resume", "cut", "--no-pictures", "--watch")
    assert done.code == 0
    assert "warning: the curves start over" in done.err
    assert events("cut", "observation")


def test_a_disk_that_refuses_what_was_seen_does_not_end_training(
    chainrule, few, view, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("chainrule.monitor.events.write_atomically", fail)
    monkeypatch.setattr(watching, "WRITTEN_EVERY", 0.0)
    view()
    done = chainrule(*TRAIN[:-1], "--data", few, "--run", "full", "--watch")
    assert done.code == 0
    assert "warning: watch.jsonl not written: no space left" in done.err


def test_watching_a_search_for_a_learning_rate_is_refused(chainrule, few) -> None:
    done = chainrule("train", "--data", few, "--find-lr", "--watch")
    assert done.code == 2
    assert "leave out --watch" in done.err


def test_without_the_packages_one_sentence_says_how_to_get_them(few: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; "
        f"sys.argv = ['chainrule', 'train', '--data', {str(few)!r}, '--watch', '--no-open']; "
        "from chainrule.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "uvicorn is missing; to watch a run: pip install 'chainrule[serve]'" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_taken_port_is_one_sentence_before_anything_is_made(chainrule, few) -> None:
    oracle("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = chainrule("train", "--data", few, "--watch", "--no-open", "--port", port)
    assert done.code == 2
    assert f"port {port} of 127.0.0.1 is not available" in done.err
    assert done.err.count("\n") == 1
    assert not Path("runs").exists()


def test_who_wants_no_words_still_gets_the_address(chainrule, few) -> None:
    done = chainrule(*TRAIN, "--data", few, "--run", "a", "--watch", "--no-open", "-q", "--port", 0)
    assert done.code == 0
    assert re.fullmatch(r"watch it learn: http://127.0.0.1:\d+/\?token=\S{43}\n", done.err)


def test_the_page_is_opened_unless_it_shall_not_be(chainrule, few, monkeypatch) -> None:
    oracle("uvicorn")
    opened: list[str] = []
    monkeypatch.setattr(live, "browse", lambda address, token: opened.append(address))
    monkeypatch.setattr(live, "has_display", lambda: True)
    monkeypatch.setattr(live, "FIRST_PAGE", 0.0)
    options = (*TRAIN[:-1], "--data", few, "--watch", "--port", 0)
    shut = chainrule(*options, "--no-open")
    assert opened == []
    assert "watch it learn: http://127.0.0.1:" in shut.err
    done = chainrule(*options)
    assert len(opened) == 1
    assert f"watch it learn: {opened[0]}" in done.err
    assert np.isfinite(weights("fast-2")).all()

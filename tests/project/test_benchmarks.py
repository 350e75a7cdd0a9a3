"""The benchmark counts what it should, compares like with like, and names what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.__main__ import FIGURES, PAGE, entries
from benchmarks.speed.contender import PEERS
from benchmarks.speed.report import as_json, cells, page, rows_of
from benchmarks.speed.turns import Contenders, Measured, take_turns
from benchmarks.speed.work import WORKS, Data, Work
from chainrule.data.dataset import Dataset

ROOT = Path(__file__).parents[2]
BY_NAME = {work.name: work for work in WORKS}

KEYS = {"work", "peer", "threads", "ours", "theirs", "ratio", "goal", "met", "accuracy"}


@pytest.fixture
def folder(tmp_path: Path, mnist: Dataset) -> Path:
    """The first 640 training images as a contender finds them."""
    arrays = [*(part[:640] for part in mnist.train), *mnist.test]
    for name, array in zip(Data.ARRAYS, arrays, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


# Million operations an image, as published for the product of weights and images alone.
@pytest.mark.parametrize(
    ("widths", "million"),
    [((784, 128, 10), 0.41), ((784, 512, 512, 10), 3.21), ((784, 1024, 512, 256, 10), 7.16)],
)
def test_training_takes_the_operations_that_are_published(
    widths: tuple[int, ...], million: float
) -> None:
    work = Work("", "", "train", "epoch", {}, widths)
    assert work.operations(1_000_000) / 1e12 == pytest.approx(million, abs=0.006)


def test_each_goal_names_a_peer_and_each_piece_of_work_has_its_contenders() -> None:
    for work in WORKS:
        assert {peer for peer in work.goals if peer} <= set(PEERS)
        threads = {count for _, count in entries(work, quick=False)}
        assert threads <= {1, 2}
        assert entries(work, quick=False)[0][0] == "ours"
    assert ("torch.compile", 2) not in entries(BY_NAME["T1"], quick=True)


def test_the_better_number_of_threads_counts_on_either_side() -> None:
    measured = [
        Measured("ours", 1, [2.0, 2.2, 2.1], 0.97),
        Measured("ours", 2, [1.0, 1.4, 1.1], 0.98),
        Measured("torch", 1, [3.0, 2.2, 2.6], 0.96),
        Measured("torch", 2, [5.0, 5.0, 5.0], 0.95),
        Measured("jax", 1, failed="jax is not installed"),
        Measured("sgemm", 2, [0.5]),
    ]
    (row, share) = rows_of(BY_NAME["T4"], measured, images=60_000)
    assert (row.peer, row.threads, row.ours, row.theirs) == ("torch", (2, 1), 1.1, 2.6)
    assert row.ratio == pytest.approx(2.6 / 1.1)
    assert (row.goal, row.met, row.accuracy) == (2, True, (0.98, 0.96))
    assert share.peer == "sgemm"
    assert share.share_of_peak == pytest.approx(share.ratio)
    assert share.met is (share.ratio >= 0.7)


def test_our_compiled_step_counts_where_it_is_quicker_and_numpys_time_is_shown_beside_it() -> None:
    for seconds, peers in ((0.5, ["article", "ours, NumPy alone"]), (2.0, ["article"])):
        measured = [
            Measured("ours", 1, [1.0]),
            Measured("ours, compiled", 1, [seconds]),
            Measured("article", 1, [4.0]),
        ]
        rows = rows_of(BY_NAME["T1"], measured, images=60_000)
        assert [row.peer for row in rows] == peers
        assert rows[0].ours == min(seconds, 1.0)
        assert all(row.met is None for row in rows[1:])


def test_a_bound_in_seconds_is_met_below_it_and_missed_above() -> None:
    for seconds, met in ((0.2, True), (0.3, False)):
        (row,) = rows_of(BY_NAME["L1"], [Measured("ours", 2, [seconds])], images=60_000)
        assert (row.peer, row.met) == ("bound", met)


@pytest.mark.parametrize("name", ["T1", "T2", "T3", "T5"])
def test_ours_and_the_peers_learn_the_same(name: str, folder: Path) -> None:
    peers = ["ours", *(peer for peer in ("article", "scikit-learn") if peer in BY_NAME[name].goals)]
    with Contenders() as contenders:
        measured = take_turns(
            BY_NAME[name],
            [(peer, 1) for peer in peers],
            contenders=contenders,
            folder=folder,
            repeats=3,
            say=print,
        )
    assert [m.failed for m in measured] == [""] * len(peers)
    assert all(len(m.seconds) == 3 and min(m.seconds) > 0 for m in measured)
    # In the order of the file to the last image; in orders of their own nearly so.
    allowed = 0.03 if BY_NAME[name].shuffle else 0.001
    assert np.ptp([m.accuracy for m in measured]) <= allowed
    assert measured[0].accuracy > 0.1


def test_a_peer_that_is_missing_is_named_skipped_and_not_counted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sklearn.py").write_text("raise ImportError('gone', name='sklearn')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    said: list[str] = []
    with Contenders() as contenders:
        measured = take_turns(
            BY_NAME["T2"],
            [("ours", 1), ("scikit-learn", 1)],
            contenders=contenders,
            folder=folder,
            repeats=1,
            say=said.append,
        )
    assert measured[1].seconds == []
    assert "T2: scikit-learn skipped: sklearn is not installed" in said
    assert rows_of(BY_NAME["T2"], measured, images=640) == []


def test_json_rows_have_what_was_promised_and_the_page_says_met_or_missed() -> None:
    measured = [Measured("ours", 1, [1.0], 0.9), Measured("torch", 1, [2.0], 0.9)]
    rows = rows_of(BY_NAME["T3"], measured, images=60_000)
    machine = {"date": "", "cores": 2, "processor": "", "blas": "", "kernel": "", "python": ""}
    result = json.loads(json.dumps(as_json(rows, machine=machine, versions={}, growth=[])))
    assert set(result) == {"machine", "versions", "rows", "growth"}
    assert all(set(row) >= KEYS for row in result["rows"])
    assert "met" in cells(rows[0])
    assert "| T3 | torch |" in page(rows, result)


def test_the_page_shows_the_figures_of_the_last_run() -> None:
    result = json.loads((ROOT / FIGURES).read_text())
    shown = (ROOT / PAGE).read_text()
    assert result["machine"]["date"] in shown
    for row in result["rows"]:
        assert row["met"] in (True, False) or row["goal"] is None
        if row["work"] in ("T1", "T2", "T3", "T4", "T5", "P1", "P2") and row["peer"] != "sgemm":
            assert f"{row['ratio']:.2f}" in shown, (row["work"], row["peer"])

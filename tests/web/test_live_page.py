"""What the live view computes in the browser, run by node: ticks, numbers, curves, labels."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import node, oracle

PAGE = Path(str(files("chainrule"))) / "web" / "static"
Compute = Callable[..., Any]


@pytest.fixture(scope="session")
def compute() -> Compute:
    """compute(module, expression) -> its value, with the module's exports in scope as `m`."""
    program = node()

    def run(module: str, expression: str, given: object = None) -> Any:
        code = (
            f"import * as m from {json.dumps((PAGE / module).as_uri())};"
            f"const given = {json.dumps(given)}; console.log(JSON.stringify({expression}));"
        )
        arguments = [program, "--input-type=module", "-e", code]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_ticks_are_those_of_matplotlib(compute: Compute) -> None:
    ticker = oracle("matplotlib.ticker")
    rng = np.random.default_rng(0)
    ends = [sorted(pair) for pair in (10 ** rng.uniform(-5, 5, (200, 2))).tolist()]
    found = compute("scales.js", "given.map(([a, b]) => m.roundTicks(a, b, 5))", ends)
    for (low, high), ticks in zip(ends, found, strict=True):
        steps = np.diff(ticks)
        assert low - 1e-9 <= ticks[0]
        assert ticks[-1] <= high * (1 + 1e-9)
        if len(ticks) > 1:
            base = steps[0]
            locator = ticker.MultipleLocator(base).tick_values(low, high)
            inside = [t for t in locator if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
            assert ticks == pytest.approx(inside, rel=1e-9)
            assert round(base / 10 ** math.floor(math.log10(base) + 1e-9), 9) in (1, 2, 5)
            assert len(ticks) <= 6


def test_logarithmic_ticks_take_everything_in_and_no_more(compute: Compute) -> None:
    rng = np.random.default_rng(1)
    ends = [sorted(pair) for pair in (10 ** rng.uniform(-7, 3, (200, 2))).tolist()]
    found = compute("scales.js", "given.map(([a, b]) => m.decadeTicks(a, b))", ends)
    for (low, high), ticks in zip(ends, found, strict=True):
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert ticks[1] > low
        assert ticks[-2] < high
        assert all(f"{tick:e}"[0] in "125" for tick in ticks)
        assert len(ticks) <= 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (0.1 + 0.2, "0.3"), (2 / 3, "0.667"), (1234567, "1,234,567"),
        (0.0005, "0.0005"), (1e-5, "10⁻⁵"), (2.5e-7, "2.5 × 10⁻⁷"), (-3.14159, "-3.14"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_one_reads_them(compute: Compute, value: float, text: str) -> None:
    assert compute("scales.js", "m.shortNumber(given)", value) == text


@pytest.mark.parametrize("kind", ["linear", "log", "auto", "nines"])
def test_every_value_has_its_place_between_the_ends_of_the_axis(
    compute: Compute, kind: str
) -> None:
    rng = np.random.default_rng(2)
    sets = [rng.uniform(0.001, 1, 8).tolist() for _ in range(50)] + [[0.3], [1.0], [0.5, 0.5]]
    places = compute(
        "scales.js",
        "given[1].map(values => { const s = m.chooseScale({scale: given[0], format: String}, "
        "values); return [values.map(s.at), s.ticks.map(t => s.at(t.value))]; })",
        [kind, sets],
    )
    for values, (at, ticks) in zip(sets, places, strict=True):
        assert all(-1e-9 <= place <= 1 + 1e-9 for place in at), values
        assert np.argsort(at, kind="stable").tolist() == np.argsort(values, kind="stable").tolist()
        assert ticks == sorted(ticks)
        assert len(set(ticks)) == len(ticks)


def test_halving_the_errors_takes_the_same_room_wherever_it_happens(compute: Compute) -> None:
    places = compute(
        "scales.js",
        "[0.2, 0.6, 0.8, 0.9, 0.95].map(m.chooseScale({scale: 'nines', format: String}, "
        "[0.2, 0.99]).at)",
    )
    assert np.diff(places) == pytest.approx([places[1] - places[0]] * 4, rel=1e-6)


def test_labels_keep_their_order_and_their_distance(compute: Compute) -> None:
    rng = np.random.default_rng(3)
    sets = [rng.uniform(20, 200, 6).tolist() for _ in range(100)]
    found = compute("scales.js", "given.map(p => m.spreadLabels(p, 15, 20, 200))", sets)
    for before, after in zip(sets, found, strict=True):
        assert np.argsort(before).tolist() == np.argsort(after).tolist()
        assert np.diff(sorted(after)).min() >= 15 - 1e-9
        assert min(after) >= 20
        assert max(after) <= 200


EVENTS: list[dict[str, Any]] = [
    {"kind": "begin", "run": "mine", "epochs": 2},
    {"kind": "observation", "step": 5, "epoch": 0.5, "learning_rate": 0.1, "training": [2.0, 0.2],
     "validation": [2.1, 0.1], "layers": [[0.01, 0.25, 0.5], [None, None, None]], "mistakes": []},
    {"kind": "unheard of", "step": 6},
    {"kind": "by_hand", "step": 6, "epoch": 0.6, "action": "pause", "text": "paused"},
    {"kind": "by_hand", "step": 6, "epoch": 0.6, "action": "rate", "text": "", "factor": 0.5},
    {"kind": "epoch", "epoch": 1, "step": 10, "loss": 1.5, "validation_loss": 1.25,
     "validation_accuracy": 0.5, "learning_rate": 0.05, "seconds": 3},
]  # fmt: skip


def test_events_become_curves_marks_and_a_position(compute: Compute) -> None:
    run = "given.reduce(m.takeIn, m.emptyRun())"
    curves = compute("live_run.js", f"m.curvesOf({run})", EVENTS)
    assert curves["loss"] == [
        {"name": "training", "points": [[0.5, 2.0]]},
        {"name": "validation", "points": [[0.5, 2.1]], "colour": 1},
        {"name": "all validation", "points": [[1, 1.25]], "dots": True, "colour": 1},
    ]
    assert [series["points"] for series in curves["accuracy"]] == [
        [[0.5, 0.2]], [[0.5, 0.1]], [[1, 0.5]],
    ]  # fmt: skip
    assert curves["ratio"] == [{"name": "layer 1", "points": [[0.5, 0.01]]}]
    assert curves["stuck"] == [{"name": "layer 1", "points": [[0.5, 0.25]]}]
    assert compute("live_run.js", f"m.marksOf({run})", EVENTS) == [{"x": 0.6, "text": "rate × 0.5"}]
    assert compute("live_run.js", f"[m.isPaused({run}), m.positionOf({run})]", EVENTS) == [True, 1]


def test_a_second_beginning_starts_anew(compute: Compute) -> None:
    run = "[...given, given[0]].reduce(m.takeIn, m.emptyRun())"
    assert compute("live_run.js", f"[{run}.observations, {run}.begin.run]", EVENTS) == [[], "mine"]


def test_a_page_that_looks_on_for_days_keeps_an_even_part_and_the_newest(compute: Compute) -> None:
    steps = compute(
        "live_run.js",
        "Array.from({length: 20001}, (_, i) => ({kind: 'observation', step: 3 * i}))"
        ".reduce(m.takeIn, m.emptyRun()).observations.map(({step}) => step)",
    )
    assert len(steps) <= 2000
    assert (steps[0], steps[-1]) == (0, 60_000)
    half = next(i for i, step in enumerate(steps) if step >= 30_000)
    assert 0.25 < half / len(steps) < 0.75


def test_a_run_that_nobody_watched_has_the_curves_of_its_epochs(compute: Compute) -> None:
    run = "[given[0], given.at(-1)].reduce(m.takeIn, m.emptyRun())"
    curves = compute("live_run.js", f"m.curvesOf({run})", EVENTS)
    assert [series["name"] for series in curves["loss"]] == ["training", "validation"]
    assert curves["rate"][0]["points"] == [[1, 0.05]]
    assert curves["ratio"] == []


@pytest.mark.parametrize("watched", [True, False])
def test_what_is_minimised_is_a_line_of_its_own_where_it_is_not_the_loss(
    compute: Compute, watched: bool
) -> None:
    first, *seen, last = EVENTS
    begin, run = [first, *seen] if watched else [first], "given.reduce(m.takeIn, m.emptyRun())"
    plain = compute("live_run.js", f"m.curvesOf({run})", [*begin, last | {"objective": 1.5}])
    assert "objective" not in [series["name"] for series in plain["loss"]]
    curves = compute("live_run.js", f"m.curvesOf({run})", [*begin, last | {"objective": 2.5}])
    (objective,) = (series for series in curves["loss"] if series["name"] == "objective")
    assert objective["points"] == [[1, 2.5]]
    others = [series for series in curves["loss"] if series is not objective]
    assert others == plain["loss"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.3 s"), (59.4, "59.4 s"), (75, "1 min 15 s"), (3725, "1 h 2 min")],
)
def test_durations_are_written_in_words(compute: Compute, seconds: float, text: str) -> None:
    assert compute("live_run.js", "m.duration(given)", seconds) == text

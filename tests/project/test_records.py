"""The table of `make records`: met or missed, how sure, and what has not been run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy.goals import COMMITTEE, OF, Goal
from benchmarks.accuracy.pages import page
from benchmarks.accuracy.rows import PLACE, Row, put, read, seconds_until, settings_of, write
from benchmarks.accuracy.table import cells, interval, outcome, table
from benchmarks.contention import Moment, now, others_since
from conftest import oracle

ROOT = Path(__file__).parents[2]
MACHINE = {"cores": 2, "processor": "P", "blas": "B", "kernel": "K", "python": "3"}
FAST = Goal("fast", error=1.7, seconds=5, stretch=1.5)


def row(seed: int | None = 0, errors: int = 160, **more: Any) -> Row:
    plain = Row(
        recipe="fast", seed=seed, test_error=errors / 10_000, errors=errors, images=10_000,
        train_seconds=4.0, total_seconds=9.0, epochs=8, parameters=235_146, date="2026-11-22",
        machine=MACHINE, settings=settings_of("fast"),
    )  # fmt: skip
    return replace(plain, **more)


def stale(seed: int, errors: int) -> Row:
    return row(seed, errors, settings=settings_of("fast") | {"epochs": 7})


# ---------------------------------------------------------------------- the table


def test_the_interval_is_students_over_seeds_as_scipy_has_it() -> None:
    stats = oracle("scipy.stats")
    for errors in ([150, 170], [150, 160, 161], [150, 160, 161, 155, 171]):
        shares = [0.01 * count for count in errors]
        expected = stats.t.interval(
            0.95, len(errors) - 1, loc=np.mean(shares), scale=stats.sem(shares)
        )
        found = interval([row(seed, count) for seed, count in enumerate(errors)])
        np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=2e-4)


def test_the_interval_of_one_run_is_wilsons_as_scipy_has_it() -> None:
    stats = oracle("scipy.stats")
    expected = stats.binomtest(42, 10_000).proportion_ci(method="wilson")
    np.testing.assert_allclose(interval([row(0, 42)]), [100 * end for end in expected], rtol=1e-9)


def test_a_row_of_the_table_has_mean_deviation_number_seconds_and_what_all_have() -> None:
    rows = [row(0, 150, train_seconds=4.0), row(1, 160, train_seconds=5.0), row(2, 173)]
    found = cells(FAST, rows)
    assert found[:2] == ("`fast`", "≤ 1.70 % in ≤ 5 s (stretch 1.50 %)")
    deviation = np.std([1.50, 1.60, 1.73], ddof=1)
    assert found[2] == f"1.610 ± {deviation:.3f} (3)"
    assert found[4:7] == ("4.3 ± 0.6", "235,146", "8")
    measured = replace(rows[0], corrupted={"mean": 0.75, "each": {}})
    assert cells(FAST, [measured])[7] == "25.0"


@pytest.mark.parametrize(
    ("errors", "seconds", "words"),
    [
        (170, 5.0, "met, not the stretch"),
        (150, 5.0, "met, and the stretch"),
        (171, 5.0, "missed by 0.010 points"),
        (150, 6.25, "missed by 1.2 s"),
        (180, 6.0, "missed by 0.100 points, by 1.0 s"),
    ],
)
def test_a_promise_is_met_or_missed_by_so_much(errors: int, seconds: float, words: str) -> None:
    rows = [row(seed, errors, train_seconds=seconds) for seed in range(5)]
    assert outcome(FAST, rows) == words
    assert outcome(replace(FAST, why="too small"), rows) == (
        f"{words}: too small" if "missed" in words else words
    )


def test_a_promise_that_is_met_exactly_is_met_whatever_rounding_says() -> None:
    for errors in range(1, 300, 7):
        goal = Goal("fast", error=errors / 100)
        assert outcome(goal, [row(seed, errors) for seed in range(5)]) == "met"
        assert "missed" in outcome(goal, [row(seed, errors + (seed == 0)) for seed in range(5)])


def test_what_has_not_been_run_is_marked_so() -> None:
    assert cells(FAST, [])[-1] == "not run yet"
    assert "2 of 5 seeds, the others not run yet" in cells(FAST, [row(0), row(1)])[-1]
    assert "not run yet" not in cells(FAST, [row(seed) for seed in range(5)])[-1]


def test_a_row_of_a_recipe_that_has_changed_counts_for_nothing_and_is_marked() -> None:
    assert stale(0, 150).is_stale()
    assert not row().is_stale()
    found = cells(FAST, [stale(0, 900), row(1, 150), row(2, 160)])
    assert found[2].startswith("1.550 ±")
    assert "1 stale rows of an older recipe left out" in found[-1]
    alone = cells(FAST, [stale(0, 900)])
    assert alone[2] == "9.000 (1)"
    assert alone[-1] == "stale: the recipe has changed since, not run again yet"
    assert "| stale |" in page([stale(0, 900)])
    assert row(recipe="gone").is_stale()


def test_a_setting_that_came_later_makes_no_row_stale_unless_the_recipe_uses_it() -> None:
    settings = settings_of("fast")
    without = {name: value for name, value in settings.items() if name != "elastic"}
    assert not row(settings=without).is_stale()
    without = {name: value for name, value in settings.items() if name != "label_smoothing"}
    assert row(settings=without).is_stale()


def test_the_time_until_an_accuracy_counts_from_the_first_epoch_to_the_one_that_reaches_it(
    tmp_path: Path,
) -> None:
    accuracies = [0.97, None, 0.989, 0.99, 0.98, 0.995]
    lines = [
        json.dumps({"seconds": 2.0 + number, "validation_accuracy": accuracy})
        for number, accuracy in enumerate(accuracies)
    ]
    history = tmp_path / "history.jsonl"
    history.write_text("\n".join(lines) + "\n")
    assert seconds_until(history, 0.99) == 2 + 3 + 4 + 5
    assert seconds_until(history, 0.5) == 2
    assert seconds_until(history, 0.999) is None


def test_a_goal_of_time_is_missed_by_runs_that_never_reach_it() -> None:
    goal = Goal("fast", seconds=30, until=0.99)
    reached = [row(seed, until={"accuracy": 0.99, "seconds": 20.0 + seed}) for seed in range(5)]
    assert outcome(goal, reached) == "met"
    assert cells(goal, reached)[4] == "22.0 ± 1.6 until then, 4.0 ± 0.0 in all"
    never = replace(reached[0], until={"accuracy": 0.99, "seconds": None})
    assert outcome(goal, [never, *reached[1:]]) == "missed in 1 of 5 runs"
    nowhere = [replace(never, seed=seed) for seed in range(5)]
    assert outcome(goal, nowhere) == "missed in 5 of 5 runs"


def test_seconds_beside_other_programs_are_marked() -> None:
    rows = [row(seed, others=1.2 if seed < 2 else 0.1) for seed in range(5)]
    assert outcome(FAST, rows).endswith("; in 2 of 5 runs others kept 1.2 cores busy")
    assert "| 1.2 |" in page(rows)


def test_another_program_is_seen_and_our_own_work_is_not_counted() -> None:
    if now().machine is None:
        pytest.skip("this system does not tell how busy its cores are")
    code = "import time; end = time.time() + 1.5\nwhile time.time() < end: pass"
    begun = now()
    alone = subprocess.Popen([sys.executable, "-c", code])
    time.sleep(1.2)
    beside = others_since(begun)  # not waited for, so it is another's
    alone.wait()
    begun = now()
    subprocess.run([sys.executable, "-c", code], check=True)
    others, end = others_since(begun), now()
    assert beside is not None
    assert others is not None
    assert beside > 0.3
    # Whatever others did meanwhile, our own share has been taken off.
    everybody = (end.machine - begun.machine) / (end.clock - begun.clock)
    assert everybody - others > 0.2
    assert others_since(Moment(begun.clock, begun.machine, -1e9)) == 0
    assert others_since(Moment(0.0, None, 0.0)) is None


def test_each_row_of_the_page_has_as_many_cells_as_its_heading() -> None:
    corrupted = {"mean": 0.5, "each": {"shift": 0.4, "blur": 0.6}}
    rows = [
        row(0, corrupted=corrupted), row(1, total_seconds=None), stale(2, 3),
        row(None, 40, recipe=COMMITTEE, epochs=None, settings=settings_of("fast"),
            corrupted=corrupted | {"each": {"shift": 0.4, "noise": 0.1}}),
    ]  # fmt: skip
    for text in (page(rows), page([]), table(rows), table([])):
        tables = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
        assert tables
        for lines in tables:
            assert len({line.count("|") for line in lines.strip().split("\n")}) == 1
    assert "| recipe | clean | shift | blur | noise | mean |" in page(rows)
    assert "| fast | 1.60 | 60.0 | 40.0 |  | 50.0 |" in page(rows)


def test_the_page_in_the_repository_is_what_records_json_gives() -> None:
    rows = read(ROOT / PLACE)
    remedy = "write them: python -m benchmarks.accuracy --write"
    assert (ROOT / "docs/records.md").read_text() == page(rows), remedy
    assert table(rows) in (ROOT / "docs/records.md").read_text()


# ---------------------------------------------------------------------- the rows


def test_rows_come_back_in_order_and_a_row_takes_the_place_of_its_like(tmp_path: Path) -> None:
    place = tmp_path / "records.json"
    assert read(place) == []
    for one in (row(3), row(0), row(1, recipe="t99"), row(0, 99)):
        put(one, place)
    assert [(one.recipe, one.seed, one.errors) for one in read(place)] == [
        ("fast", 0, 99),
        ("fast", 3, 160),
        ("t99", 1, 160),
    ]
    assert len(place.read_text().splitlines()) == 3 + 2


def test_a_new_member_takes_the_committee_of_the_old_ones_away(tmp_path: Path) -> None:
    place = tmp_path / "records.json"
    write([row(recipe=OF), row(None, recipe=COMMITTEE)], place)
    put(row(), place)
    assert [one.recipe for one in read(place)] == ["fast", OF, COMMITTEE]
    put(row(1, recipe=OF), place)
    assert [one.recipe for one in read(place)] == ["fast", OF, OF]


@pytest.mark.parametrize("content", ["", "[]", '{"rows": 7}', '{"rows": [{"recipe": "fast"}]}'])
def test_a_file_that_is_no_table_of_ours_is_one_sentence(tmp_path: Path, content: str) -> None:
    place = tmp_path / "records.json"
    place.write_text(content)
    with pytest.raises(
        SystemExit, match=r"records\.json: not what `python -m benchmarks.accuracy` writes"
    ):
        read(place)

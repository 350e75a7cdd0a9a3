"""`make records` fills its table a run at a time, goes on where it was, and counts no stale run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import benchmarks.accuracy.filling as filling_module
from benchmarks.accuracy.filling import Filling, fill, fitted, plan
from benchmarks.accuracy.goals import COMMITTEE, GOALS, OF
from benchmarks.accuracy.rows import read
from benchmarks.accuracy.table import cells, outcome
from chainrule.experiments.recipes import RECIPES
from chainrule.runs.processes import Ending, Task
from project.test_records import FAST


def go(
    recipes: list[str],
    seeds: list[int],
    said: list[str],
    stop: Callable[[], bool],
    *,
    jobs: int = 1,
) -> int:
    return fill(recipes, seeds, Filling(stop, said.append, jobs))


def never() -> bool:
    return False


def test_every_recipe_gets_a_run_for_each_seed_and_the_committee_comes_last() -> None:
    order = list(plan(["fast", COMMITTEE, "plain"], [0, 1]))
    assert order == [("fast", 0), ("plain", 0), ("fast", 1), ("plain", 1), (COMMITTEE, None)]


def test_the_whole_table_is_filled_and_a_second_time_nothing_is_run(trainer, said) -> None:
    recipes = [goal.recipe for goal in GOALS]
    assert go(recipes, [0, 1, 2, 3, 4], said, never) == 0
    rows = read()
    assert len(rows) == 5 * 5 + 1
    trained = [arguments for arguments in trainer.asked if arguments[0] == "train"]
    assert len(trained) == 25
    assert trained[0] == (
        "train", "--recipe", "fast", "--seed", "0", "--run", "records-fast-0", "--json", "--quiet",
    )  # fmt: skip
    first = rows[0]
    assert (first.errors, first.images, first.train_seconds, first.total_seconds) == (
        40, 10_000, 3.0, 5.0,
    )  # fmt: skip
    assert first.corrupted == {"mean": 0.8, "each": {"shift": 0.7, "blur": 0.9}}
    assert rows[1].corrupted is None
    timed = next(one for one in rows if one.recipe == "t99")
    assert timed.until == {"accuracy": 0.99, "seconds": 2.0}
    committee = rows[-1]
    assert (committee.recipe, committee.seed, committee.errors) == (COMMITTEE, None, 49)
    assert committee.corrupted == first.corrupted
    members = ",".join(f"records-{OF}-{seed}" for seed in range(5))
    made = next(arguments for arguments in trainer.asked if arguments[0] == "committee")
    assert made[:4] == ("committee", "records-committee", "--members", members)
    assert not list(Path("runs").glob("*/checkpoints"))
    trainer.asked.clear()
    assert go(recipes, [0, 1, 2, 3, 4], said, never) == 0
    assert trainer.asked == []
    assert read() == rows


def test_each_finished_run_is_put_down_at_once(trainer, said) -> None:
    counts = []

    def stop() -> bool:
        counts.append(len(read()))
        return len(counts) > 4

    go(["fast"], [0, 1, 2, 3, 4], said, stop)
    assert counts == [0, 1, 2, 3, 4]
    assert [one.seed for one in read()] == [0, 1, 2, 3]


def interrupted(run: str) -> None:
    """Makes a run's report that of one that was interrupted."""
    path = Path(f"runs/{run}/report.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ending": "interrupted"}))


def test_a_run_that_was_ended_goes_on(trainer, said) -> None:
    trainer.train(Task("records-fast-0", ("train",)))
    interrupted("records-fast-0")
    assert go(["fast"], [0], said, never) == 0
    assert trainer.asked[0] == ("train", "--resume", "records-fast-0", "--json", "--quiet")
    assert read()[0].total_seconds is None
    assert "records-fast-0: goes on" in said


def test_runs_side_by_side_share_the_cores_and_their_seconds_do_not_count(
    trainer, said, monkeypatch
) -> None:
    monkeypatch.setattr(filling_module, "cores", lambda: 4)
    assert go(["fast"], [0], said, never) == 0
    assert go(["fast", COMMITTEE], [0, 1, 2], said, never, jobs=2) == 0
    trained = [arguments for arguments in trainer.asked if arguments[0] == "train"]
    assert [arguments[4] for arguments in trained] == ["0", "1", "2"]
    assert [arguments[7:9] for arguments in trained[1:]] == [("--threads", "2")] * 2
    assert "--threads" not in trained[0]
    rows = read()
    assert [one.cores for one in rows] == [None, 2, 2]
    rows = [replace(one, train_seconds=9.0 if one.cores else 4.0) for one in rows]
    assert cells(FAST, rows)[4] == "4.0 (1)"
    assert "missed" not in outcome(FAST, rows)
    assert "2 trained side by side, whose seconds do not count" in outcome(FAST, rows)
    assert cells(FAST, rows[1:])[4] == ""


def test_one_of_two_side_by_side_that_was_begun_alone_goes_on(trainer, said) -> None:
    trainer.train(Task("records-fast-1", ("train",)))
    interrupted("records-fast-1")
    assert go(["fast"], [0, 1], said, never, jobs=2) == 0
    resumed = next(arguments for arguments in trainer.asked if "--resume" in arguments)
    assert resumed == ("train", "--resume", "records-fast-1", "--json", "--quiet")
    assert [one.seed for one in read()] == [0, 1]


def test_a_finished_run_without_a_row_is_read_and_not_run(trainer, said) -> None:
    trainer.train(Task("records-fast-1", ("train",)))
    assert go(["fast"], [1], said, never) == 0
    assert trainer.asked == []
    assert (read()[0].seed, read()[0].others) == (1, None)


@pytest.mark.parametrize("change", [{"epochs": 9}, {"layers": (784, 99, 10)}, {"validation": 0}])
def test_a_changed_recipe_is_run_again_from_the_beginning(
    trainer, said, monkeypatch, change
) -> None:
    assert go(["fast"], [0], said, never) == 0
    trainer.asked.clear()
    monkeypatch.setitem(RECIPES, "fast", replace(RECIPES["fast"], **change))
    assert read()[0].is_stale()
    Path("runs/records-fast-0/left.txt").touch()
    assert go(["fast"], [0], said, never) == 0
    assert trainer.asked[0][:3] == ("train", "--recipe", "fast")
    assert "records-fast-0: was begun with other settings, begins again" in said
    assert not Path("runs/records-fast-0/left.txt").exists()
    assert len(read()) == 1
    assert not read()[0].is_stale()


def test_a_recipe_with_more_held_out_than_fits_is_no_other_recipe(
    trainer, said, monkeypatch
) -> None:
    # A sixth of the images is held out at most, so the run's own number is smaller.
    monkeypatch.setitem(RECIPES, "fast", replace(RECIPES["fast"], validation=20_000))
    assert fitted("fast").validation == 60_000 // 6
    trainer.train(Task("records-fast-0", ("train",)))
    assert go(["fast"], [0], said, never) == 0
    assert [arguments[0] for arguments in trainer.asked] == ["evaluate"]
    assert not read()[0].is_stale()


def test_a_run_that_fails_is_named_and_the_next_one_is_run(trainer, said) -> None:
    trainer.fail["records-fast-0"] = Ending(1, "", "error: the loss became infinite")
    assert go(["fast", "plain"], [0], said, never) == 1
    assert [one.recipe for one in read()] == ["plain"]
    (complaint,) = [line for line in said if line.startswith("error: ")]
    assert "chainrule train --recipe fast" in complaint
    assert "exit code 1: error: the loss became infinite" in complaint


def test_a_recipe_that_is_not_there_is_named_and_passed_over(trainer, said, monkeypatch) -> None:
    monkeypatch.delitem(RECIPES, "plain")
    assert go(["plain", "fast"], [0], said, never) == 0
    assert "plain: there is no such recipe yet" in said
    assert [one.recipe for one in read()] == ["fast"]


def test_without_the_corrupted_measurement_the_rest_is_filled(trainer, said) -> None:
    trainer.corrupted = False
    assert go(["fast"], [0], said, never) == 0
    assert read()[0].corrupted is None
    assert any("cannot do that yet" in line for line in said)
    trainer.corrupted = True
    assert go(["fast"], [0], said, never) == 0
    assert read()[0].corrupted is not None


def test_an_answer_without_the_figures_is_a_failure_and_no_traceback(trainer, said) -> None:
    trainer.evaluate = lambda task: Ending(0, '{"accuracy": 0.9}', "")
    assert go(["fast"], [0], said, never) == 1
    assert "error: evaluate records-fast-0 --corrupted: no 'corruptions' in its answer" in said
    assert read()[0].corrupted is None


def test_the_committee_waits_for_all_five_of_its_members(trainer, said) -> None:
    assert go([OF, COMMITTEE], [0, 1, 2, 3], said, never) == 0
    assert f"committee: not yet, for want of records-{OF}-4" in said
    assert all(one.recipe == OF for one in read())
    assert go([OF, COMMITTEE], [4], said, never) == 0
    assert read()[-1].recipe == COMMITTEE


def test_asked_to_end_nothing_new_is_begun_and_no_failure_is_told(trainer, said) -> None:
    trainer.fail["records-fast-0"] = Ending(143, "", "interrupted after 1 epochs")
    answers = iter([False, True, True, True])
    assert go(["fast"], [0, 1], said, lambda: next(answers)) == 0
    assert len(trainer.asked) == 1
    assert read() == []
    assert not [line for line in said if line.startswith("error")]

"""`make records` fills its table a run at a time, goes on where it was, and counts no stale run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import records.filling as filling_module
from chainrule.cli.children import Ending, Task
from chainrule.data.dataset import Dataset
from chainrule.jobs import prepare
from chainrule.recipes import RECIPES
from chainrule.settings import as_toml
from conftest import oracle
from records.__main__ import main
from records.filling import Filling, fill, fitted, plan
from records.goals import COMMITTEE, GOALS, OF, Goal
from records.others import Moment, now, others_since
from records.pages import BEGIN, END, in_readme, page
from records.rows import PLACE, Row, put, read, seconds_until, settings_of, write
from records.table import cells, interval, outcome, table

ROOT = Path(__file__).parents[1]
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


def test_the_readme_gets_the_table_between_its_marks_and_nothing_else_changes() -> None:
    readme = f"# A\n\n{BEGIN}\nold\n{END}\n\nmore\n"
    once = in_readme(readme, [row()])
    assert once == f"# A\n\n{BEGIN}\n\n{table([row()])}\n\n{END}\n\nmore\n"
    assert in_readme(once, [row()]) == once
    assert in_readme("# A\n", [row()]) == "# A\n"
    assert in_readme(f"# A\n{BEGIN}\n", [row()]) == f"# A\n{BEGIN}\n"


def test_the_pages_in_the_repository_are_what_docs_records_json_gives() -> None:
    rows = read(ROOT / PLACE)
    remedy = "write them: python -m records --write"
    assert (ROOT / "docs/records.md").read_text() == page(rows), remedy
    readme = (ROOT / "README.md").read_text()
    assert BEGIN in readme
    assert readme == in_readme(readme, rows), remedy
    assert table(rows) in readme


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
    with pytest.raises(SystemExit, match=r"records\.json: not what `python -m records` writes"):
        read(place)


# ---------------------------------------------------------------------- the runs


class Trainer:
    """In the place of the processes: writes what they would leave, and knows what was asked."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.asked: list[tuple[str, ...]] = []
        self.fail: dict[str, Ending] = {}
        """Name of the task -> how it ends instead."""
        self.corrupted = True

    def __call__(
        self, tasks: list[Task], *, jobs: int, stop: Callable[[], bool], say: Callable[[str], None]
    ) -> dict[str, Ending]:
        assert len(tasks) <= jobs
        endings = {}
        for task in tasks:
            self.asked.append(task.arguments)
            endings[task.name] = self.fail.get(task.name) or getattr(self, task.arguments[0])(task)
        return endings

    def train(self, task: Task) -> Ending:
        name = task.name
        folder = Path("runs") / name
        recipe, seed = re.fullmatch(r"records-(\w+)-(\d)", name).groups()
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        threads = int(dict(pairwise(task.arguments)).get("--threads", 0))
        settings = prepare(RECIPES[recipe], self.data).settings
        settings = replace(settings, seed=int(seed), threads=threads)
        (folder / "config.toml").write_text(as_toml(settings))
        epochs = [{"seconds": 1.0, "validation_accuracy": 0.98 + k / 100} for k in range(3)]
        (folder / "history.jsonl").write_text("\n".join(map(json.dumps, epochs)))
        return self._finish(folder, recipe, int(seed))

    def committee(self, task: Task) -> Ending:
        folder = Path("runs") / task.name
        folder.mkdir()
        return self._finish(folder, COMMITTEE, 9)

    def evaluate(self, task: Task) -> Ending:
        if not self.corrupted:
            return Ending(2, "", "Error: No such option: --corrupted")
        corruptions = {"shift": {"mean": 0.7, "severities": []}, "blur": {"mean": 0.9}}
        return Ending(0, json.dumps({"corruptions": corruptions, "mean": 0.8}), "")

    def _finish(self, folder: Path, recipe: str, seed: int) -> Ending:
        (folder / "model.safetensors").write_bytes(b"model")
        report = {
            "ending": "finished", "recipe": recipe, "seed": seed, "errors": 40 + seed,
            "test_error": (40 + seed) / 10_000, "train_seconds": 3.0, "total_seconds": 5.0,
            "epochs": 3, "parameters": 1000, "confusion": [[10_000]],
        }  # fmt: skip
        (folder / "report.json").write_text(json.dumps(report))
        return Ending(0, json.dumps(report), "")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist: Dataset) -> Trainer:
    """A folder with docs/ and no runs; processes are only played."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    for name in ("plain", "accurate", "t99", OF):
        monkeypatch.setitem(RECIPES, name, replace(RECIPES["sprint"], validation=5000))
    played = Trainer(mnist)
    monkeypatch.setattr(filling_module, "run_all", played)
    return played


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


def test_a_run_that_was_ended_goes_on(trainer, said) -> None:
    trainer.train(Task("records-fast-0", ("train",)))
    Path("runs/records-fast-0/report.json").write_text('{"ending": "interrupted"}')
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
    Path("runs/records-fast-1/report.json").write_text('{"ending": "interrupted"}')
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


# ---------------------------------------------------------------------- the command


def test_the_command_runs_forgets_and_writes(trainer, capsys) -> None:
    Path("README.md").write_text(f"{BEGIN}\n{END}\n")
    assert main(["--only", "fast", "--seeds", "0,1"]) == 0
    assert "| `fast` | ≤ 1.70 % in ≤ 5 s | 0.405 ± 0.007 (2) |" in capsys.readouterr().out
    trainer.asked.clear()
    assert main(["--only", "fast", "--seeds", "0..1", "--again"]) == 0
    assert [arguments[0] for arguments in trainer.asked] == ["train", "evaluate", "train"]
    assert main(["--write"]) == 0
    assert "docs/records.md, README.md" in capsys.readouterr().err
    assert table(read()) in Path("README.md").read_text()
    assert Path("docs/records.md").read_text() == page(read())
    assert main(["--write"]) == 0
    assert "nothing, all is as it should be" in capsys.readouterr().err
    Path("README.md").write_text("no marks\n")
    assert main(["--write"]) == 0
    assert "README.md has no mark" in capsys.readouterr().err


def test_the_hours_end_it_and_a_failure_is_an_exit_code(trainer, capsys) -> None:
    assert main(["--only", "fast", "--hours", "0"]) == 0
    assert trainer.asked == []
    assert "the hours are over" in capsys.readouterr().err
    trainer.fail["records-fast-0"] = Ending(1, "", "error: no")
    assert main(["--only", "fast", "--seeds", "0"]) == 1


def test_a_signal_ends_it_with_its_code(trainer, capsys) -> None:
    def signalled(task: Task) -> Ending:
        os.kill(os.getpid(), signal.SIGTERM)
        return Ending(143, "", "interrupted")

    trainer.train = signalled
    assert main(["--only", "fast"]) == 143
    assert len(trainer.asked) == 1
    assert "SIGTERM: the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "slow"], "no recipe 'slow': choose among fast, plain"),
        (["--seeds", "x"], "seeds x: give different whole numbers"),
        (["--hours", "soon"], "invalid float value"),
        (["--jobs", "0"], "invalid positive value: '0'"),
    ],
)
def test_a_wrong_option_is_one_sentence(trainer, capsys, arguments, words) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_elsewhere_than_in_the_repository_it_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([])
    assert "in the folder of the repository" in capsys.readouterr().err


def test_only_one_of_it_runs_at_a_time(trainer, capsys) -> None:
    from filelock import FileLock

    Path("runs").mkdir()
    with FileLock("runs/.lock"):
        assert main(["--only", "fast"]) == 75
    assert "another process is writing here" in capsys.readouterr().err
    assert trainer.asked == []

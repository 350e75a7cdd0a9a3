"""`chainrule committee` trains what is missing, keeps what is there, and makes one model of it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chainrule.nn.model_file import load_model
from chainrule.runs import train_members as recruiting
from chainrule.runs.folder import contents
from chainrule.runs.processes import Ending
from runs.conftest import OPTIONS, RUNS, report


def test_json_is_one_object_with_members_mean_and_committee(three) -> None:
    assert [member["run"] for member in three["members"]] == RUNS
    assert [member["seed"] for member in three["members"]] == [0, 1, 2]
    reports = [report(run) for run in RUNS]
    assert [member["errors"] for member in three["members"]] == [r["errors"] for r in reports]
    errors = [r["test_error"] for r in reports]
    assert three["mean_error"] == pytest.approx(np.mean(errors))
    assert three["sd_error"] == pytest.approx(np.std(errors, ddof=1))
    assert three["train_seconds"] == pytest.approx(sum(r["train_seconds"] for r in reports))
    assert three["parameters"] == sum(r["parameters"] for r in reports)
    assert three["test_error"] == three["errors"] / 101
    assert three["interval"][0] < three["test_accuracy"] < three["interval"][1]


def test_its_members_are_ordinary_runs_and_its_file_is_their_mean(three) -> None:
    data = np.random.default_rng(0).random((20, 784), np.float32)
    singles = [load_model(f"runs/{run}/model.safetensors") for run in RUNS]
    together = load_model("runs/c/model.safetensors")
    assert len({single.members[0].parameters.tobytes() for single in singles}) == 3
    expected = np.mean([single.predict_proba(data) for single in singles], axis=0)
    np.testing.assert_allclose(together.predict_proba(data), expected, rtol=1e-5, atol=1e-7)
    assert together.summary["seeds"] == [0, 1, 2]
    assert "confusion.png" in contents(Path("runs/c-seed-0"))
    assert contents(Path("runs/c")) == ["config.toml", "model.safetensors", "report.json"]
    config = tomllib.loads(Path("runs/c/config.toml").read_text())
    assert config["committee"] == {"members": RUNS}
    member = tomllib.loads(Path("runs/c-seed-0/config.toml").read_text())
    member["settings"].pop("seed")
    assert config["settings"] == member["settings"]
    assert config["checksums"] == member["checksums"]


def test_evaluate_predict_and_compare_take_it_for_a_run(chainrule, three) -> None:
    found = json.loads(chainrule("evaluate", "c", "--json").out)
    assert (found["accuracy"], found["errors"]) == (three["test_accuracy"], three["errors"])
    mistaken, _, predicted = report("c")["mistakes"][0]
    one = json.loads(chainrule("predict", "c", "--index", mistaken, "--json").out)
    assert one["predictions"][0]["digit"] == predicted
    compared = chainrule("compare", "c", "c-seed-1", "--json")
    assert compared.code == 0, compared.err


def test_the_same_command_again_trains_nothing_and_says_the_same(
    chainrule, three, few, tasks
) -> None:
    done = chainrule("committee", "c", *OPTIONS, "--data", few, "--json")
    assert (done.code, tasks) == (0, [])
    assert json.loads(done.out) == three
    assert "3 of 3 members are finished" in done.err
    shown = chainrule("committee", "c", *OPTIONS, "--data", few, "--quiet")
    assert shown.err == ""
    mean, spread = 100 * three["mean_error"], 100 * three["sd_error"]
    assert f"each alone: {mean:.3f} ± {spread:.3f} % wrong" in shown.out
    assert f"together: {100 * three['test_accuracy']:.2f} % of 101 test images right" in shown.out
    assert all(run in shown.out for run in RUNS)


def test_a_finished_member_is_kept_a_begun_one_goes_on_a_missing_one_is_started(
    chainrule, three, few, tasks
) -> None:
    Path("runs/c-seed-1/report.json").unlink()
    shutil.rmtree("runs/c-seed-2")
    Path("runs/c-seed-2").mkdir()
    Path("runs/c-seed-2/.lock").touch()  # as a process leaves it that is killed at its start
    done = chainrule("committee", "c", *OPTIONS, "--data", few, "--offline", "-q")
    assert [task.name for task in tasks] == RUNS[1:]
    begun, missing = (task.arguments for task in tasks)
    assert begun == ("train", "--resume", "c-seed-1", "--json", "--offline", "--quiet")
    assert missing == (
        "train", "--recipe", "sprint", "--data", str(few), "--seed", "2", "--run", "c-seed-2",
        "--json", "--offline", "--quiet",
    )  # fmt: skip
    assert not Path("runs/c-seed-2").exists()
    assert done.code == 2  # nothing was trained here
    assert "run 'c-seed-1' is not finished: chainrule train --resume c-seed-1" in done.err


def test_a_member_that_was_begun_goes_on_to_the_same_committee(chainrule, three, few) -> None:
    before = Path("runs/c/model.safetensors").read_bytes()
    for run in RUNS[:2]:
        Path(f"runs/{run}/model.safetensors").unlink()
        sorted(Path(f"runs/{run}/checkpoints").iterdir())[-1].unlink()
    shutil.rmtree("runs/c")
    done = chainrule("committee", "c", *OPTIONS, "--data", few, "--jobs", 2)
    assert done.code == 0, done.err
    assert "c-seed-0: resuming runs/c-seed-0" in done.err
    assert Path("runs/c/model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        (("--jobs", 3), "1"),
        (("--threads", 5), "5"),
        (("--threads", 99, "--jobs", 2), "99"),
        ((), None),
    ],
)
def test_the_cores_are_shared_by_those_that_train_at_a_time(
    chainrule, few, tasks, monkeypatch, options, threads
) -> None:
    monkeypatch.setattr(recruiting, "cores", lambda: 4)
    chainrule("committee", "new", *OPTIONS, "--data", few, *options)
    for task in tasks:
        asked = dict(zip(task.arguments[1::2], task.arguments[2::2], strict=False))
        assert asked.get("--threads") == threads
    assert len(tasks) == 3


def test_data_of_ones_own_go_to_every_member(chainrule, few, tasks) -> None:
    names = "a,b,c,d,e,f,g,h,i,j"
    data = ("--data", few, "--test-data", few, "--classes", names)
    chainrule("committee", "new", *OPTIONS, *data)
    for task in tasks:
        assert task.arguments[3:9] == tuple(map(str, data))


def heard(process: subprocess.Popen, words: list[str]) -> str:
    """What the process says until it has said all of the words."""
    text = ""
    while not all(word in text for word in words):
        assert process.poll() is None, text
        text += process.stderr.readline()
    return text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_members_which_save_themselves(few, tmp_path, number) -> None:
    command = ("committee", "long", "--recipe", "relu-50-50-50", "--data", str(few), "--jobs", "2")
    with subprocess.Popen(
        [sys.executable, "-m", "chainrule", *command, "--seeds", "0..2", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        heard(process, ["long-seed-0: epoch 1/", "long-seed-1: epoch 1/"])
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "interrupted, 0 of 3 are finished" in json.loads(out)["error"]
    assert "Traceback" not in err
    runs = tmp_path / "runs"
    assert sorted(path.name for path in runs.iterdir()) == ["long-seed-0", "long-seed-1"]
    for run in runs.iterdir():
        assert json.loads((run / "report.json").read_text())["ending"] == "interrupted"
        assert list((run / "checkpoints").glob("step-*.safetensors"))


def test_a_member_that_fails_is_named_and_its_exit_code_is_ours(
    chainrule, three, few, monkeypatch
) -> None:
    def fail(tasks, *, jobs, stop, say) -> dict[str, Ending]:
        return {
            "c-seed-0": Ending(143, "", "interrupted after 1 epochs"),
            "c-seed-2": Ending(75, "", "error: runs/c-seed-2: process 1 is writing here"),
        }

    monkeypatch.setattr(recruiting, "run_all", fail)
    before = Path("runs/c/report.json").read_bytes()
    done = chainrule("committee", "c", *OPTIONS, "--data", few, "--json")
    assert done.code == 75
    assert "c-seed-2 ended with exit code 75: error: runs/c-seed-2: process 1" in done.err
    assert "c-seed-2 ended" in json.loads(done.out)["error"]
    assert Path("runs/c/report.json").read_bytes() == before

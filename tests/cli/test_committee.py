"""`chainrule committee` trains what is missing, keeps what is there, and makes one model of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chainrule.checkpoint import load_model, save
from chainrule.cli import recruiting
from chainrule.cli.children import Ending, Task, run_all
from chainrule.cli.runs import contents
from chainrule.committee import Committee
from chainrule.network import Network

OPTIONS = ("--recipe", "sprint", "--seeds", "0..2")
RUNS = ["c-seed-0", "c-seed-1", "c-seed-2"]


@pytest.fixture(scope="session")
def made(few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """(the folder `runs` of a committee of three, what the command printed)."""
    folder = tmp_path_factory.mktemp("made")
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "committee", "c", *OPTIONS, "--data", str(few),
         "--jobs", "2", "--json"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "0 of 3 members are finished" in done.stderr
    assert "c-seed-2: epoch 4/4" in done.stderr
    return folder / "runs", json.loads(done.stdout)


@pytest.fixture
def three(chainrule, made) -> dict:
    """A copy of that in the folder where the test's commands run; what was printed."""
    shutil.copytree(made[0], "runs")
    return made[1]


@pytest.fixture
def tasks(monkeypatch) -> list[Task]:
    """What the command would train; nothing is trained."""
    recorded: list[Task] = []

    def record(tasks, *, jobs, stop, say) -> dict[str, Ending]:
        recorded.extend(tasks)
        return {}

    monkeypatch.setattr(recruiting, "run_all", record)
    return recorded


def report(run: str) -> dict:
    return json.loads(Path(f"runs/{run}/report.json").read_text())


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
        for last in sorted(Path(f"runs/{run}/checkpoints").iterdir())[-2:]:
            last.unlink()
    shutil.rmtree("runs/c")
    done = chainrule("committee", "c", *OPTIONS, "--data", few, "--jobs", 2)
    assert done.code == 0, done.err
    assert "c-seed-0: going on with runs/c-seed-0" in done.err
    assert Path("runs/c/model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "threads"),
    [
        (("--jobs", 3), "1"),
        (("--threads", 5), "5"),
        (("--threads", 0, "--jobs", 2), None),
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


def test_finished_runs_are_made_one_by_their_names(chainrule, three) -> None:
    done = chainrule("committee", "two", "--members", "c-seed-2,runs/c-seed-0", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert [member["seed"] for member in found["members"]] == [2, 0]
    model = load_model("runs/two/model.safetensors")
    assert len(model.members) == 2
    assert chainrule("evaluate", "two").code == 0
    again = chainrule("committee", "two", "--members", "c-seed-2,runs/c-seed-0", "--json")
    assert json.loads(again.out) == found
    single = chainrule("committee", "one", "--members", "c-seed-1")
    assert f"together: {100 * report('c-seed-1')['test_accuracy']:.2f} %" in single.out
    assert "±" not in single.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, ["Missing argument"]),
        (("../x",), 2, ["name '../x'", "letters"]),
        (("x" * 81,), 2, ["at most 80"]),
        (("c", "--seeds", "0,1"), 2, ["'c' is taken", "not a committee of c-seed-0, c-seed-1"]),
        (("c-seed-0", *OPTIONS), 2, ["'c-seed-0' is taken"]),
        (("c", *OPTIONS[:2], "--seeds", "0,1,2", "--data", "mnist"), 1, ["c-seed-0", "other data"]),
        (("x", "--seeds", "0,0"), 2, ["seeds 0,0", "different whole numbers"]),
        (("x", "--seeds", "1..0"), 2, ["seeds 1..0"]),
        (("x", "--seeds", "0..999999999"), 2, ["seeds 0..999999999"]),
        (("x", "--seeds", "a"), 2, ["seeds a"]),
        (("x", "--seeds", "-1"), 2, ["seeds -1"]),
        (("x", "--recipe", "fastest"), 2, ["unknown recipe 'fastest'"]),
        (("x", "--recipe", "sprint", "--data", "none.csv"), 1, ["none.csv does not exist"]),
        (("x", "--jobs", "0"), 2, ["--jobs"]),
        (("x", "--members", "c-seed-0,c-seed-9"), 1, ["no run and no model file 'c-seed-9'"]),
        (("x", "--members", ","), 1, ["no run and no model file ''"]),
        (("x", "--members", "c-seed-0,c-seed-0"), 2, ["has the weights of c-seed-0"]),
        (("x", "--members", "c,c-seed-0"), 2, ["'c' is a committee itself: give its members"]),
        (("x", "--members", "c-seed-0", "--seeds", "1"), 2, ["leave out --recipe, --seeds"]),
        (("x", "--members", "alone.safetensors"), 2, ["a model file alone"]),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_leaves_no_folder(
    arguments, code, words, chainrule, three, tasks
) -> None:
    shutil.copy("runs/c-seed-0/model.safetensors", "alone.safetensors")
    before = sorted(Path("runs").iterdir())
    done = chainrule("committee", *arguments)
    assert done.code == code, done.err
    assert all(word in done.err for word in words), done.err
    assert "Traceback" not in done.err
    assert sorted(Path("runs").iterdir()) == before
    assert tasks == []


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def test_members_of_other_settings_seed_or_data_are_refused(chainrule, three, few, tasks) -> None:
    def refused(old: str, new: str) -> str:
        whole = Path("runs/c-seed-1/config.toml").read_text()
        edit("runs/c-seed-1/config.toml", old, new)
        done = chainrule("committee", "c", *OPTIONS, "--data", few)
        Path("runs/c-seed-1/config.toml").write_text(whole)
        assert done.code in (1, 2)
        assert "run 'c-seed-1'" in done.err
        return done.err

    assert "epochs 5 there, 4 wanted" in refused("epochs = 4", "epochs = 5")
    assert "layers [784, 10] there" in refused("layers = [784, 192, 10]", "layers = [784, 10]")
    assert "seed 3 there, 1 wanted" in refused("seed = 1", "seed = 3")
    assert "begun with other data" in refused('test_labels = "', 'test_labels = "0')
    whole = Path("runs/c-seed-1/config.toml").read_text()
    for damaged in (whole.replace("[settings]", "[[settings]]"), "settings = 3\n", "no = toml = 1"):
        Path("runs/c-seed-1/config.toml").write_text(damaged)
        done = chainrule("committee", "c", *OPTIONS, "--data", few)
        assert done.code == 2
        assert done.err.startswith("error: runs/c-seed-1/config.toml: ")
        assert chainrule("committee", "x", "--members", "c-seed-0,c-seed-1").code == 2
    Path("runs/c-seed-1/config.toml").write_text(whole)
    # A setting that a version before did not know has its usual value.
    edit("runs/c-seed-1/config.toml", "elastic_sigma = 5.0\n", "")
    assert chainrule("committee", "c", *OPTIONS, "--data", few).code == 0
    assert tasks == []


def test_runs_that_do_not_fit_together_are_refused(chainrule, three, few) -> None:
    def refused() -> str:
        done = chainrule("committee", "x", "--members", "c-seed-0,odd")
        assert done.code in (1, 2)
        assert "Traceback" not in done.err
        assert not Path("runs/x").exists()
        return done.err

    shutil.copytree("runs/c-seed-1", "runs/odd")
    model = load_model("runs/odd/model.safetensors")
    place = Path("runs/odd/model.safetensors")
    rng = np.random.default_rng(0)
    save(type(model)(model.network, ("x",) * 10, model.shape), place)
    assert "odd has classes" in refused()
    save(type(model)(model.network, model.classes, model.shape, 2.0), place)
    assert "odd has pixel_scale 2.0, c-seed-0 1.0: members must agree" in refused()
    save(type(model)(Network.dense([784, 9], rng=rng)), place)
    assert "odd has classes" in refused()
    save(type(model)(model.network.copy(np.float64), model.classes, model.shape), place)
    assert "precision float64" in refused()
    shutil.copy("runs/c-seed-1/model.safetensors", place)
    edit("runs/odd/config.toml", 'train_images = "', 'train_images = "0')
    assert "odd was trained with other data than c-seed-0" in refused()
    shutil.copy("runs/c-seed-1/config.toml", "runs/odd/config.toml")
    for damaged in ("", "[]", "{}", '{"ending": "finished"}', "[" * 9000):
        Path("runs/odd/report.json").write_text(damaged)
        assert "run 'odd' is not finished: chainrule train --resume odd" in refused()
    edited = report("c-seed-1") | {"errors": "many"}
    Path("runs/odd/report.json").write_text(json.dumps(edited))
    assert "run 'odd' is not finished" in refused()


def test_a_committee_is_not_a_run_to_go_on_with(chainrule, three) -> None:
    before = Path("runs/c/model.safetensors").read_bytes()
    done = chainrule("train", "--resume", "c")
    assert done.code == 2
    assert "'c' is a committee" in done.err
    assert Path("runs/c/model.safetensors").read_bytes() == before
    assert isinstance(load_model("runs/c/model.safetensors").network, Committee)


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


def quick(name: str) -> Task:
    return Task(name, ("--version",))


def test_processes_run_so_many_at_a_time_and_each_tells_how_it_ended(monkeypatch) -> None:
    from chainrule.cli import children

    alive, most = set(), []

    class Watched(children.Child):
        def __init__(self, task, say) -> None:
            super().__init__(task, say)
            alive.add(task.name)
            most.append(len(alive))

        def ending(self) -> Ending:
            alive.discard(self.task.name)
            return super().ending()

    monkeypatch.setattr(children, "Child", Watched)
    names = ["a", "b", "c"]
    endings = run_all([quick(n) for n in names], jobs=2, stop=lambda: False, say=pytest.fail)
    assert sorted(endings) == names
    assert max(most) == 2
    for ending in endings.values():
        assert (ending.code, ending.complaint) == (0, "")
        assert ending.out.startswith("chainrule ")


def test_a_failure_is_heard_and_nothing_is_begun_after_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A file of this name in the user's folder is not the module.
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    said: list[str] = []
    failing = Task("bad", ("data", "none.csv"))
    endings = run_all([failing, quick("never")], jobs=1, stop=lambda: False, say=said.append)
    assert endings.keys() == {"bad"}
    assert endings["bad"].code == 1
    assert endings["bad"].complaint.startswith("error: none.csv does not exist")
    assert said == [f"bad: {endings['bad'].complaint}"]


def test_whoever_is_left_by_an_exception_leaves_no_process_behind(
    few, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()

    def hear(line: str) -> None:
        heard_lines.append(line)

    def stop() -> bool:
        if any("epoch 1/" in line for line in heard_lines):
            raise KeyboardInterrupt
        assert time.monotonic() - started < 60
        return False

    heard_lines: list[str] = []
    endless = ("--layers", "784,20,10", "--epochs", "500", "--run", "endless")
    with pytest.raises(KeyboardInterrupt):
        run_all([Task("x", ("train", "--data", str(few), *endless))], jobs=1, stop=stop, say=hear)
    report = json.loads((tmp_path / "runs/endless/report.json").read_text())
    assert report["ending"] == "interrupted"
    holder = (tmp_path / "runs/endless/.writer").read_text().split()[1]
    with pytest.raises(ProcessLookupError):
        os.kill(int(holder), 0)

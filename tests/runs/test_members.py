"""Which runs a committee may be made of, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from chainrule.nn.committee import Committee
from chainrule.nn.model_file import load_model, save
from chainrule.nn.network import Network
from runs.conftest import OPTIONS, report


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
        (("x", "--members", "c-seed-0,c-seed-9"), 2, ["no run and no model file 'c-seed-9'"]),
        (("x", "--members", ","), 2, ["no run and no model file ''"]),
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
        assert "\nerror: runs/c-seed-1/config.toml: " in done.err
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
    for damaged in ("", "[]", "[" * 9000):
        Path("runs/odd/report.json").write_text(damaged)
        assert "runs/odd/report.json: not a report" in refused()
    Path("runs/odd/report.json").write_text('{"ending": "finished"}')
    assert "runs/odd/report.json: it has no recipe; train it again" in refused()
    Path("runs/odd/report.json").write_text("{}")
    assert "run 'odd' is not finished: chainrule train --resume odd" in refused()
    edited = report("c-seed-1") | {"errors": "many"}
    Path("runs/odd/report.json").write_text(json.dumps(edited))
    assert "report.json: errors is 'many', not a whole number" in refused()


def test_a_committee_is_not_a_run_to_go_on_with(chainrule, three) -> None:
    before = Path("runs/c/model.safetensors").read_bytes()
    done = chainrule("train", "--resume", "c")
    assert done.code == 2
    assert "'c' is a committee" in done.err
    assert Path("runs/c/model.safetensors").read_bytes() == before
    assert isinstance(load_model("runs/c/model.safetensors").network, Committee)

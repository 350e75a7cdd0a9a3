"""`chainrule train` writes a run folder from which everything can be told and repeated."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chainrule.nn.model_file import load_model
from chainrule.runs import run as execute
from chainrule.runs.folder import contents
from chainrule.runs.pictures import PICTURES
from chainrule.training.train import Epoch

KEYS = {
    "recipe",
    "seed",
    "test_accuracy",
    "test_error",
    "test_images",
    "training_images",
    "validation_images",
    "beats_guessing",
    "warning",
    "train_seconds",
    "total_seconds",
    "epochs",
    "planned_epochs",
    "best_epoch",
    "run",
    "parameters",
}


def test_json_is_one_object_and_nothing_else_on_stdout(chainrule, few) -> None:
    done = chainrule("train", "--data", few, "--epochs", 1, "--json", "--seed", 3)
    assert done.code == 0
    result = json.loads(done.out)
    assert set(result) == KEYS
    assert result["recipe"] == "fast"
    assert (result["seed"], result["epochs"], result["run"]) == (3, 1, "runs/fast-1")
    assert result["test_accuracy"] + result["test_error"] == pytest.approx(1)
    assert 0.1 < result["test_accuracy"] < 1
    assert "epoch 1/1" in done.err


def test_a_run_folder_holds_configuration_history_model_report_and_pictures(mine) -> None:
    assert set(contents(mine)) == {
        "checkpoints",
        "config.toml",
        "history.jsonl",
        "model.safetensors",
        "report.json",
        *(f"{name}.png" for name in PICTURES),
    }
    config = tomllib.loads((mine / "config.toml").read_text())
    assert config["settings"]["epochs"] == 2
    assert config["settings"]["seed"] == 0
    assert config["data"]["source"].endswith("few.csv")
    assert Path(config["data"]["source"]).is_absolute()
    assert all(len(checksum) == 64 for checksum in config["checksums"].values())
    assert config["environment"]["numpy"] == np.__version__
    epochs = [
        Epoch(**json.loads(line)) for line in (mine / "history.jsonl").read_text().splitlines()
    ]
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    report = json.loads((mine / "report.json").read_text())
    assert report["ending"] == "finished"
    assert sum(map(sum, report["confusion"])) == 101
    assert (mine / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_repeats_from_its_own_configuration_to_the_same_bits(chainrule, mine, few) -> None:
    done = chainrule(
        "train",
        "--config",
        mine / "config.toml",
        "--data",
        few,
        "--run",
        "again",
        "--no-pictures",
        "-q",
    )
    assert done.code == 0, done.err
    first, second = (Path(f"runs/{name}/model.safetensors") for name in ("mine", "again"))
    assert np.array_equal(
        load_model(first).network.parameters, load_model(second).network.parameters
    )


def test_the_options_of_the_manual_decide_the_network(chainrule, few) -> None:
    done = chainrule(
        "train", "--layers", "784,12,9,10", "--activation", "tanh,relu", "--optimizer", "adam",
        "--batch-size", 128, "--epochs", 1, "--learning-rate", "1e-3", "--seed", 0, "--data", few,
        "--run", "small", "--validation", 50, "--patience", 3, "--no-pictures", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads(done.out)["parameters"] == 784 * 12 + 12 + 12 * 9 + 9 + 9 * 10 + 10
    assert "validation" in done.err
    layers = load_model("runs/small/model.safetensors").network.layers
    assert [layer.activation for layer in layers] == ["tanh", "relu", "identity"]


def test_quiet_says_nothing_on_stderr_and_the_result_on_stdout(chainrule, few) -> None:
    done = chainrule("train", "--data", few, "--epochs", 1, "--quiet")
    assert done.err == ""
    assert "test images right (95 % interval" in done.out
    assert "runs/fast-1: " in done.out


def test_a_taken_name_is_refused_and_left_as_it_was(chainrule, mine, few) -> None:
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    done = chainrule("train", "--data", few, "--run", "mine")
    assert done.code == 2
    assert "run 'mine' is taken" in done.err
    after = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    assert after == before


def test_a_loss_that_is_not_finite_stops_keeps_good_weights_and_says_what_to_try(
    chainrule, few
) -> None:
    done = chainrule(
        "train", "--layers", "784,50,10", "--optimizer", "sgd", "--learning-rate", "1e9",
        "--data", few, "--run", "wild", "--epochs", 9, "--json",
    )  # fmt: skip
    assert done.code == 1
    assert "error: the loss became" in done.err
    assert "at step" in done.err
    assert "try a learning rate of 1e+08" in done.err
    assert "layer" in done.err
    assert np.isfinite(load_model("runs/wild/model.safetensors").network.parameters).all()
    assert json.loads(Path("runs/wild/report.json").read_text())["ending"] == "diverged"
    assert set(json.loads(done.out)) >= KEYS


def test_ctrl_c_ends_after_a_step_keeps_the_weights_and_says_where(
    chainrule, few, monkeypatch
) -> None:
    plain_run = execute.run

    def interrupted_run(job, *, stop, progress):
        for epoch in plain_run(job, stop=stop, progress=progress):
            yield epoch
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(execute, "run", interrupted_run)
    before = signal.getsignal(signal.SIGINT)
    done = chainrule("train", "--data", few, "--run", "half", "--epochs", 50, "--json")
    assert done.code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert "the weights so far are in runs/half" in done.err
    assert json.loads(done.out)["epochs"] == 1
    report = json.loads(Path("runs/half/report.json").read_text())
    assert report["ending"] == "interrupted"
    assert load_model("runs/half/model.safetensors").summary["epochs"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--recipe", "quick"], 2, ["unknown recipe 'quick'", "fast"]),
        (["--layers", "784,ten"], 2, ["784,ten", "whole numbers"]),
        (["--layers", "700,10"], 2, ["700, 10", "784 pixels", "[784, 10]"]),
        (["--layers", "784,20,12"], 2, ["784, 20, 12", "10 classes"]),
        (["--epochs", "0"], 2, ["epochs = 0", "from 1"]),
        (["--epochs", "many"], 2, ["--epochs", "integer"]),
        (["--optimizer", "adm"], 2, ["'adm'", "adamw"]),
        (["--config", "none.toml"], 2, ["none.toml", "cannot be read"]),
        (["--data", "none.csv"], 1, ["none.csv"]),
        (["--run", "../out"], 2, ["'../out'", "letters"]),
        (["--validation", "60000"], 2, ["validation 60000", "hold out fewer"]),
        (["--frobnicate"], 2, ["--frobnicate"]),
    ],
)
def test_a_wrong_option_is_one_sentence_and_leaves_no_folder(
    arguments, code, words, chainrule, few
) -> None:
    data = [] if "--data" in arguments else ["--data", few]
    done = chainrule("train", *data, *arguments)
    assert done.code == code
    assert done.out == ""
    assert all(word in done.err for word in words), done.err
    assert "Traceback" not in done.err
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_an_error_is_a_json_object_too(chainrule) -> None:
    done = chainrule("train", "--data", "none.csv", "--json")
    assert done.code == 1
    assert "none.csv" in json.loads(done.out)["error"]


def test_a_config_of_a_run_trains_on_the_data_it_names_or_stops(chainrule, few, tmp_path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("\n".join(few.read_text().splitlines()[:400]) + "\n")
    quick = ("--epochs", 1, "--no-pictures", "--quiet")
    assert chainrule("train", "--data", own, "--run", "one", *quick).code == 0
    config = "runs/one/config.toml"
    assert chainrule("train", "--config", config, "--run", "two", *quick).code == 0
    tables = [tomllib.loads(Path(f"runs/{run}/config.toml").read_text()) for run in ("one", "two")]
    assert tables[0] == tables[1]
    assert digest("one") == digest("two")
    own.write_text("\n".join(few.read_text().splitlines()[100:500]) + "\n")
    done = chainrule("train", "--config", config, "--run", "three", *quick)
    assert done.code == 1
    assert "not the data that the configuration names" in done.err
    assert not Path("runs/three").exists()
    done = chainrule("train", "--config", config, "--data", few, "--run", "four", *quick)
    assert done.code == 0


def test_a_table_that_no_run_writes_is_refused(chainrule) -> None:
    Path("odd.toml").write_text("[settings]\nepochs = 1\n[dta]\nsource = 'x'\n")
    done = chainrule("train", "--config", "odd.toml", "--run", "odd")
    assert done.code == 2
    assert "[dta] is not a table of a run: did you mean data?" in done.err


def test_an_initializer_takes_the_place_of_the_recipes_own_draw(chainrule, few) -> None:
    options = ("--data", few, "--recipe", "relu-45", "--epochs", 1, "--no-pictures", "--quiet")
    for run, more in {
        "own": (),
        "he": ("--initializer", "he"),
        "zeros": ("--initializer", "zeros"),
    }.items():
        assert chainrule("train", *options, *more, "--run", run).code == 0
    assert len({digest("own"), digest("he"), digest("zeros")}) == 3
    assert tomllib.loads(Path("runs/he/config.toml").read_text())["settings"]["draw"] == ""
    done = chainrule("train", *options, "--initializer", "he", "--draw", "he-normal")
    assert done.code == 2
    assert "both say how the first weights are drawn: leave out one" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "8000"), "--port and --no-open are for --watch"),
        (("--no-open",), "--port and --no-open are for --watch"),
        (("--require-exact",), "--require-exact is for --resume"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(chainrule, options, words) -> None:
    done = chainrule("train", "--layers", "784,8,10", *options)
    assert done.code == 2
    assert words in done.err
    assert not Path("runs").exists()


def test_the_end_of_a_run_that_cannot_be_saved_names_the_run(chainrule, few, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("chainrule.runs.run.save", full)
    done = chainrule("train", "--data", few, "--epochs", 1, "--run", "one", "--no-pictures", "-q")
    assert done.code == 74
    assert "runs/one: its end could not be saved (No space left on device)" in done.err
    monkeypatch.undo()
    assert "chainrule train --resume one" in done.err


def digest(run: str) -> str:
    return hashlib.sha256(Path(f"runs/{run}/model.safetensors").read_bytes()).hexdigest()

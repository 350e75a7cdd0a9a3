"""`chainrule train --resume` goes on where a run was, to the same bits, or says why it does not."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule.runs import run as execute
from helpers.runs import PLAIN, SMALL, STEPS, killed_at, step_of, weights


@pytest.fixture
def half(chainrule, few, monkeypatch) -> str:
    """A run `half`, ended by SIGTERM before step 17, beside `whole`, which was not."""
    assert chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "whole").code == 0
    with monkeypatch.context() as patch:
        killed_at(patch, 17)
        done = chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "half")
    assert done.code == 143
    assert "interrupted after 1 epochs and 7 batches, step 17" in done.err
    assert "to resume: chainrule train --resume half" in done.err
    assert step_of("half") == 17
    return "half"


def test_a_run_ended_by_sigterm_goes_on_to_the_same_bits(chainrule, half) -> None:
    assert weights("half") != weights("whole")
    done = chainrule("train", "--resume", half, *PLAIN)
    assert done.code == 0, done.err
    assert "resuming runs/half after 1 epochs and 7 batches, step 17" in done.err
    assert "warning" not in done.err
    assert weights("half") == weights("whole")
    histories = [
        [
            json.loads(line) | {"seconds": 0}
            for line in Path(f"runs/{name}/history.jsonl").read_text().splitlines()
        ]
        for name in ("half", "whole")
    ]
    assert histories[0] == histories[1]
    report = json.loads(Path("runs/half/report.json").read_text())
    assert report["ending"] == "finished"
    assert report["epochs"] == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_signal_has_its_exit_code_and_its_handler_is_put_back(
    chainrule, few, monkeypatch, number
) -> None:
    before = signal.getsignal(number)
    killed_at(monkeypatch, 3, number)
    done = chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "ended")
    assert done.code == 128 + number
    assert signal.getsignal(number) is before


def test_going_on_twice_and_after_the_end_changes_nothing(chainrule, half) -> None:
    for _ in range(2):
        assert chainrule("train", "--resume", half, *PLAIN).code == 0
        assert weights("half") == weights("whole")
    assert chainrule("train", "--resume", "runs/whole", *PLAIN).code == 0
    assert weights("half") == weights("whole")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--batch-size", 25), ["batch_size 25 now, 50 then"]),
        (("--seed", 1, "--epochs", 4), ["seed 1 now, 0 then", "epochs 4 now, 3 then"]),
        (("--recipe", "fast"), ["leave out --recipe"]),
        (("--data", "mnist.npz"), ["leave out", "--data"]),
        (("--run", "other"), ["leave out", "--run"]),
    ],
)
def test_another_configuration_is_refused(chainrule, half, options, words) -> None:
    before = weights(half)
    done = chainrule("train", "--resume", half, *options)
    assert done.code == 2
    assert all(word in done.err for word in words), done.err
    assert weights(half) == before


def test_an_edited_configuration_is_refused(chainrule, half) -> None:
    path = Path("runs/half/config.toml")
    path.write_text(path.read_text().replace("learning_rate = 0.001", "learning_rate = 0.01"))
    done = chainrule("train", "--resume", half)
    assert done.code == 2
    assert "learning_rate 0.01 now, 0.001 then" in done.err


def test_other_data_are_refused(chainrule, few, half) -> None:
    config = Path("runs/half/config.toml").read_text()
    copy = Path("copy.csv")
    lines = few.read_text().splitlines()
    copy.write_text("\n".join([lines[1], lines[0], *lines[2:], ""]))
    Path("runs/half/config.toml").write_text(config.replace(str(few), str(copy.absolute())))
    done = chainrule("train", "--resume", half)
    assert done.code == 1
    assert "was begun with other data, the checksums differ" in done.err


def test_another_arithmetic_is_said_or_refused(chainrule, half, monkeypatch) -> None:
    monkeypatch.setattr(
        execute, "fingerprint", lambda workers, *, compiled: {"numpy": "9.9", "products": "other"}
    )
    refused = chainrule("train", "--resume", half, *PLAIN, "--require-exact")
    assert refused.code == 2
    assert "numpy" in refused.err
    assert "9.9 now" in refused.err
    said = chainrule("train", "--resume", half, *PLAIN)
    assert said.code == 0
    assert "warning: resuming may not be bit-identical" in said.err


def test_the_same_arithmetic_is_exact(chainrule, half) -> None:
    done = chainrule("train", "--resume", half, *PLAIN, "--require-exact")
    assert done.code == 0, done.err
    assert weights("half") == weights("whole")


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(chainrule, half) -> None:
    last = Path("runs/half/checkpoints/step-000000017.safetensors")
    last.write_bytes(last.read_bytes()[:-1])
    (last.parent / ".step-000000018.safetensors.99.0123abcd.part").write_bytes(b"half")
    done = chainrule("train", "--resume", half, *PLAIN)
    assert done.code == 0
    assert f"skipped: {last}" in done.err
    assert "0123abcd.part, which was never finished" in done.err
    assert "after 1 epochs, step 10" in done.err
    assert weights("half") == weights("whole")
    assert not list(last.parent.glob(".*part"))


def test_without_any_whole_checkpoint_it_begins_again(chainrule, half) -> None:
    shutil.rmtree("runs/half/checkpoints")
    done = chainrule("train", "--resume", half, *PLAIN)
    assert done.code == 0
    assert "no whole checkpoint, so training starts from the beginning" in done.err
    assert weights("half") == weights("whole")


def test_a_finished_run_without_a_whole_checkpoint_is_left_as_it_is(chainrule, half) -> None:
    folder = Path("runs/whole")
    for path in folder.glob("checkpoints/*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    before = {path.name: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    done = chainrule("train", "--resume", "whole", *PLAIN)
    assert done.code == 2
    assert "whole is finished, and none of its checkpoints can be read: it is left as" in done.err
    assert {path.name: path.read_bytes() for path in folder.glob("*.*") if path.is_file()} == before


def test_no_such_run_is_one_sentence_with_the_choices(chainrule, half) -> None:
    done = chainrule("train", "--resume", "hlaf")
    assert done.code == 2
    assert "no run 'hlaf' to resume: did you mean half? there are half, whole" in done.err


def test_a_disk_that_fills_up_is_said_and_after_three_times_the_end(
    chainrule, few, monkeypatch
) -> None:
    def full(folder: Path, checkpoint: object) -> None:
        raise OSError(28, "No space left on device")

    options = (*SMALL, *PLAIN, "--checkpoint-every", 5, "--run", "full")
    with monkeypatch.context() as patch:
        patch.setattr("chainrule.training.checkpointer.write_checkpoint", full)
        done = chainrule("train", "--data", few, *options)
    assert done.code == 74
    assert "warning: step 5 not saved: [Errno 28] No space left on device" in done.err
    assert "3 checkpoints in a row could not be saved" in done.err
    assert chainrule("train", "--resume", "full", *PLAIN).code == 0


def test_two_failures_are_forgiven(chainrule, few, monkeypatch) -> None:
    from chainrule.training import checkpointer as keeping

    real, calls = keeping.write_checkpoint, []

    def now_and_then(folder, checkpoint):
        calls.append(checkpoint.progress.step)
        if len(calls) <= 2 or 4 <= len(calls) <= 5:
            raise OSError(28, "No space left on device")
        return real(folder, checkpoint)

    monkeypatch.setattr(keeping, "write_checkpoint", now_and_then)
    options = (*SMALL, *PLAIN, "--checkpoint-every", 5, "--run", "tight")
    assert chainrule("train", "--data", few, *options).code == 0
    assert len(calls) > 5
    assert step_of("tight") == STEPS


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "chainrule", *map(str, arguments)]


def test_a_second_writer_ends_at_once_and_names_the_first(chainrule, few, half) -> None:
    long = ("--layers", "784,20,10", "--epochs", 100_000, "--run", "long", *PLAIN)
    with subprocess.Popen(command("train", "--data", few, *long), stderr=subprocess.PIPE) as first:
        assert first.stderr
        while b"epoch 1" not in first.stderr.readline():
            assert first.poll() is None
        done = chainrule("train", "--resume", "long")
        assert done.code == 75
        assert f"runs/long: process {first.pid} on " in done.err
        first.terminate()
        first.communicate()
        assert first.returncode == 143
    assert chainrule("train", "--resume", half, *PLAIN).code == 0


@pytest.mark.parametrize("after", [0.05, 0.3])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(chainrule, few, after) -> None:
    options = ("--data", few, *SMALL, *PLAIN, "--checkpoint-every", 1)
    assert chainrule("train", *options, "--run", "whole").code == 0
    with subprocess.Popen(
        command("train", *options, "--run", "shot"), stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        checkpoints = Path("runs/shot/checkpoints")
        while not checkpoints.is_dir() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert chainrule("train", "--resume", "shot", *PLAIN).code == 0
    assert weights("shot") == weights("whole")


def test_a_finished_run_is_trained_further_to_the_bits_of_a_longer_one(chainrule, few) -> None:
    """With a constant rate; its planned epochs are all that changes."""
    for name, epochs in (("long", 5), ("short", 3)):
        more = ("--run", name, "--epochs", epochs)
        assert chainrule("train", "--data", few, *SMALL, *PLAIN, *more).code == 0
    done = chainrule("train", "--resume", "short", "--epochs", 5, *PLAIN)
    assert done.code == 0, done.err
    assert "was planned for 3 epochs and goes on to 5" in done.err
    assert weights("short") == weights("long")
    configs = [Path(f"runs/{name}/config.toml").read_text() for name in ("short", "long")]
    assert configs[0] == configs[1]
    assert json.loads(Path("runs/short/report.json").read_text())["epochs"] == 5
    # And nothing is to be said any more.
    done = chainrule("train", "--resume", "short", *PLAIN)
    assert "planned" not in done.err


@pytest.mark.parametrize("schedule", ["one-cycle", "plateau", "step"])
def test_trained_further_its_rates_are_those_of_the_new_plan(chainrule, few, schedule) -> None:
    more = ("--schedule", schedule, "--warm-up", 1)
    for name, epochs in (("long", 5), ("short", 3)):
        own = ("--run", name, "--epochs", epochs)
        assert chainrule("train", "--data", few, *SMALL, *PLAIN, *own, *more).code == 0
    assert chainrule("train", "--resume", "short", "--epochs", 5, *PLAIN).code == 0
    rates = [
        [json.loads(line)["learning_rate"] for line in text.splitlines()]
        for text in (Path(f"runs/{name}/history.jsonl").read_text() for name in ("short", "long"))
    ]
    assert len(rates[0]) == 5
    assert rates[0][3:] == rates[1][3:]


def test_a_run_is_not_trained_less_far(chainrule, few) -> None:
    assert chainrule("train", "--data", few, *SMALL, *PLAIN, "--run", "short").code == 0
    before = weights("short")
    done = chainrule("train", "--resume", "short", "--epochs", 2, *PLAIN)
    assert done.code == 2
    assert "epochs 2 now, 3 then" in done.err
    assert weights("short") == before

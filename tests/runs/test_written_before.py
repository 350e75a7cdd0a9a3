"""What version 0.1.0 wrote is loaded, gone on with and trained anew, to the same bits.

stress/past/make_0_1_0.py wrote the runs, on one machine. Another BLAS, NumPy or processor
adds in another order: where the arithmetic is not that machine's, what is learned must be close.
Each run is one process that executes several commands, as most of a command's time is its start.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import chainrule as cr
from conftest import oracle

CORPUS = Path(__file__).parents[2] / "stress/past/0.1.0"
EXPECTED = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
DATA = ("--data", str(CORPUS / "images.csv"), "--classes", EXPECTED["classes"])
IMAGES = [word for number in EXPECTED["test_images"] for word in ("--index", str(number))]
TRAINED = sorted(path.parent.name for path in CORPUS.glob("*/checkpoints"))
COMPILED = [
    name for name in TRAINED if "compiled = true" in (CORPUS / name / "config.toml").read_text()
]
CLOSE = {"rtol": 1e-4, "atol": 1e-6}
"""Of probabilities: other BLAS kernels, Haswell's and one without vectors, came to within 8e-6."""

DRIVER = """
import json, runpy, sys
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["chainrule", *arguments, "--quiet", "--json"]
    try:
        runpy.run_module("chainrule", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


def chainrule(work: Path, *commands: Sequence[str]) -> list[Any]:
    """What these commands print, a JSON object each, executed one after the other in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(commands)],
        cwd=work, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def copied(name: str, to: Path, *, files: Sequence[str]) -> Path:
    """A run of the corpus with the data where they are now, as who moves a run would write it."""
    to.mkdir(parents=True)
    for file in files:
        (to / file).parent.mkdir(exist_ok=True)
        shutil.copy(CORPUS / name / file, to / file)
    text = (CORPUS / name / "config.toml").read_text(encoding="utf-8")
    source = f"source = {json.dumps(str(CORPUS / 'images.csv'))}"
    text = re.sub("^source = .*$", lambda _: source, text, flags=re.MULTILINE)
    (to / "config.toml").write_text(text, encoding="utf-8")
    return to


def digest(path: Path) -> str:
    """SHA-256 over the tensors of a model file, by name, with type and shape."""
    found = hashlib.sha256()
    with safe_open(path, "np") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            found.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode() + tensor.tobytes())
    return found.hexdigest()


def told(checkpoint: Path, what: str) -> Any:
    """What a checkpoint tells of its run."""
    with safe_open(checkpoint, "np") as file:
        return json.loads(file.metadata()[what])


def history(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def as_then(epochs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs as 0.1.0 recorded them, whose loss was the objective; without times."""
    told = [epoch | {"loss": epoch.get("objective", epoch["loss"])} for epoch in epochs]
    return [{k: v for k, v in one.items() if k not in ("objective", "seconds")} for one in told]


def same_arithmetic(run: Path, *, compiled: bool) -> bool:
    """Whether what decides the last bits is as it was, but for our own version.

    Nor does the number of BLAS's threads count: so small a network is trained on one.
    """
    then, now = EXPECTED["numerics"], told(max(run.glob("checkpoints/step-*")), "numerics")
    names = then.keys() - (set() if compiled else {"numba"})
    assert names <= now.keys(), "a run no longer notes what decides its last bits"
    for numerics in (then, now):
        numerics["BLAS"] = re.sub(", [0-9]+ threads$", "", numerics["BLAS"])
    if compiled and oracle("llvmlite.binding").get_host_cpu_name() != EXPECTED["compiled_for"]:
        return False
    return all(now[name] == then[name] for name in names - {"chainrule"})


def probabilities(predicted: Any) -> list[list[float]]:
    return [image["probabilities"] for image in predicted["predictions"]]


@pytest.mark.parametrize("name", TRAINED)
def test_a_model_file_holds_the_same_numbers_when_loaded_and_saved(name, tmp_path) -> None:
    network = cr.load_network(CORPUS / name / "model.safetensors")
    cr.save(network, tmp_path / "again.safetensors")
    for path in (CORPUS / name / "model.safetensors", tmp_path / "again.safetensors"):
        assert digest(path) == EXPECTED["runs"][name]["sha256"]


@pytest.mark.parametrize("name", TRAINED)
def test_a_run_predicts_goes_on_and_is_trained_anew_as_it_was(name, tmp_path) -> None:
    if name in COMPILED:
        oracle("numba")
    expected, (half,) = EXPECTED["runs"][name], (CORPUS / name).glob("checkpoints/*")
    runs = tmp_path / "runs"
    copied(name, runs / "then", files=["model.safetensors"])
    gone_on = copied(name, runs / "half", files=[f"checkpoints/{half.name}"])
    anew = ["--config", str(CORPUS / name / "config.toml"), "--run", "anew"]
    then, _, resumed, _, retrained = chainrule(
        tmp_path,
        ["predict", "then", *IMAGES],
        ["train", "--resume", "half", "--no-pictures"],
        ["predict", "half", *IMAGES],
        ["train", *anew, *DATA, "--no-pictures"],
        ["predict", "anew", *IMAGES],
    )
    np.testing.assert_allclose(probabilities(then), expected["predictions"], **CLOSE)
    # It did go on: who begins again measures other times.
    before = told(half, "history")
    begun = history(gone_on)[: len(before)]
    assert as_then(begun) == as_then(before) != []
    assert [epoch["seconds"] for epoch in begun] == [epoch["seconds"] for epoch in before]
    exact = same_arithmetic(gone_on, compiled=name in COMPILED)
    for run, predicted in ((gone_on, resumed), (runs / "anew", retrained)):
        if exact:
            assert digest(run / "model.safetensors") == expected["sha256"]
            assert as_then(history(run)) == as_then(history(CORPUS / name))
        np.testing.assert_allclose(probabilities(predicted), expected["predictions"], **CLOSE)


def test_a_committee_predicts_and_is_made_anew_of_its_members(tmp_path) -> None:
    expected = EXPECTED["runs"]["committee"]
    text = (CORPUS / "committee" / "config.toml").read_text(encoding="utf-8")
    members = json.loads(re.search("^members = (.*)$", text, re.MULTILINE)[1])
    copied("committee", tmp_path / "runs/then", files=["model.safetensors"])
    for name in members:
        copied(name, tmp_path / "runs" / name, files=["model.safetensors", "report.json"])
    then, _, anew = chainrule(
        tmp_path,
        ["predict", "then", *IMAGES],
        ["committee", "anew", "--members", ",".join(members)],
        ["predict", "anew", *IMAGES],
    )
    for run, predicted in (("then", then), ("anew", anew)):
        assert digest(tmp_path / "runs" / run / "model.safetensors") == expected["sha256"]
        np.testing.assert_allclose(probabilities(predicted), expected["predictions"], **CLOSE)

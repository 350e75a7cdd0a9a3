"""Backward-compatibility corpus: runs that later versions must load, resume and retrain.

    python stress/past/make_0_1_0.py FOLDER

Run it with chainrule 0.1.0 (commit 1d10e56) and with numba installed. It uses only the command
line. Each run of the corpus is a folder as `chainrule train` leaves it, but with only the last but
one of its checkpoints: resuming from there must give the model beside it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite.binding import get_host_cpu_name
from safetensors import safe_open

CLASSES = "bar,pole,cross,ring"
SIDE, ROWS = 6, 1302
"""1,115 rows are left for training: more than go through a network at a time, which are 1,024."""
TEST_IMAGES = (0, 50, 100, 150)
"""Of these the predictions are kept."""

RECIPES = {
    "fast": "--layers 36,12,8,4 --batch-size 64 --epochs 3",
    "sprint": "--layers 36,16,4 --epochs 3",
    "plain": "--layers 36,12,8,6,4 --batch-size 64 --epochs 2 --checkpoint-every 10",
    "accurate": "--layers 36,12,8,6,4 --batch-size 100 --epochs 3",
    "record": "--layers 36,14,10,8,4 --epochs 4",
    "t99": "--layers 36,12,8,4 --batch-size 50 --epochs 2 --checkpoint-every 12",
    "sigmoid-128-64": "--layers 36,12,8,4 --learning-rate 1e-3 --epochs 2 --checkpoint-every 60",
    "tanh-16-16": "--layers 36,8,8,4 --batch-size 45 --epochs 4",
    "relu-45": "--layers 36,9,4 --learning-rate 0.3 --epochs 8",
    "sigmoid-72-36": "--layers 36,10,6,4 --epochs 6",
    "relu-50-50-50": "--layers 36,8,7,6,4 --learning-rate 0.3 --epochs 8",
}
"""Recipe -> what makes it small enough, and lets it learn or (the first article's) not jump."""

RUNS = {
    "sgd-step": "--layers 36,10,4 --optimizer sgd --schedule step --learning-rate 1 --batch-size "
    "32 --activation tanh --initializer glorot --loss mean-squared-error --l2 0.001 --epochs 3",
    "momentum-cosine": "--layers 36,10,8,4 --optimizer momentum --schedule cosine --warm-up 0.5 "
    "--learning-rate 0.2 --activation leaky-relu,elu --max-norm 0.3 --batch-size 50 --epochs 2 "
    "--checkpoint-every 12",
    "nesterov-plateau": "--layers 36,8,4 --optimizer nesterov --schedule plateau --warm-up 1 "
    "--learning-rate 1 --activation sigmoid --initializer lecun --loss sigmoid-cross-entropy "
    "--label-smoothing 0.1 --weight-decay 0.001 --examples 400 --validation 100 "
    "--batch-size 15 --epochs 12",
    "rmsprop-dropout": "--layers 36,12,10,4 --optimizer rmsprop --activation silu,relu "
    "--initializer normal --dropout 0.3 --input-dropout 0.1 --max-weight-norm 0.8 "
    "--learning-rate 0.01 --batch-size 40 --epochs 3",
    "adam-patience": "--layers 36,16,4 --learning-rate 0.1 --validation 300 --patience 1 "
    "--epochs 40 --batch-size 32",
    "adamw-normalised": "--layers 36,12,8,4 --optimizer adamw --schedule one-cycle --activation "
    "gelu,relu --batch-norm --noise 0.1 --input-noise 0.2 --average 0.98 --learning-rate 0.01 "
    "--batch-size 65 --epochs 3 --checkpoint-every 10",
    "distorted": "--layers 36,12,4 --batch-norm --rotation 12 --scaling 0.1 --shear 10 --shift 0.5 "
    "--elastic 8 --elastic-sigma 2 --batch-size 400 --learning-rate 0.03 --epochs 6",
    "order-of-the-file": "--layers 36,10,4 --no-shuffle --batch-size 0 --dtype float64 "
    "--optimizer rmsprop --learning-rate 0.02 --epochs 8",
    "everything": "--layers 36,10,8,6,4 --activation elu,silu,sigmoid --initializer uniform "
    "--optimizer adamw --weight-decay 0.02 --schedule cosine --warm-up 0.5 --batch-norm "
    "--dropout 0.1 --noise 0.1 --average 0.9 --l2 0.001 --max-norm 0.5 --max-weight-norm 1 "
    "--label-smoothing 0.1 --rotation 5 --learning-rate 0.02 --batch-size 8 --validation 150 "
    "--patience 3 --dtype float64 --seed 3 --epochs 2 --checkpoint-every 70",
    "no-hidden-layer": "--layers 36,4 --initializer zeros --learning-rate 0.02 --seed 7 --epochs 3",
    "compiled-adam": "--layers 36,12,8,4 --compiled --dropout 0.1 --batch-size 16 --epochs 2 "
    "--checkpoint-every 40",
    "compiled-sgd": "--layers 36,12,10,8,4 --compiled --optimizer sgd --learning-rate 0.1 "
    "--activation relu,tanh,sigmoid --label-smoothing 0.1 --batch-size 5 --examples 700 "
    "--epochs 2 --checkpoint-every 75",
    "compiled-float64": "--layers 36,10,4 --compiled --optimizer sgd --learning-rate 0.1 --dtype "
    "float64 --loss sigmoid-cross-entropy --batch-size 7 --examples 500 --no-shuffle --epochs 3",
} | {name: f"--recipe {name} {smaller}" for name, smaller in RECIPES.items()}
"""Name -> options of `chainrule train`."""


def write_images(path: Path) -> None:
    """Small drawings of four kinds as a CSV file, label first, bytes 0..255."""
    rng = np.random.Generator(np.random.PCG64(20))
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    rows = []
    for label in rng.integers(0, 4, ROWS):
        down, across = rng.uniform(-1, 1, 2)
        bar, pole = abs(y - down) < 1, abs(x - across) < 1
        ring = abs(np.hypot(y - down, x - across) - 1.8) < 0.7
        ink = (bar, pole, bar | pole, ring)[label] * rng.integers(60, 256, x.shape)
        ink[rng.random(x.shape) < 0.15] = rng.integers(0, 200)
        rows.append([label, *ink.ravel()])
    np.savetxt(path, rows, fmt="%d", delimiter=",")


def chainrule(work: Path, *arguments: str) -> Any:
    """What the command prints as JSON."""
    command = [sys.executable, "-m", "chainrule", *arguments, "--quiet", "--json"]
    return json.loads(subprocess.run(command, cwd=work, stdout=subprocess.PIPE, check=True).stdout)


def digest(path: Path) -> str:
    """SHA-256 over the tensors of a model file, by name, with type and shape."""
    found = hashlib.sha256()
    with safe_open(path, "np") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            found.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode() + tensor.tobytes())
    return found.hexdigest()


def main() -> None:
    """Writes the corpus into the folder that is named."""
    corpus = Path(sys.argv[1]).absolute()
    corpus.mkdir(parents=True)
    write_images(corpus / "images.csv")
    expected: dict[str, Any] = {
        "numerics": {}, "compiled_for": get_host_cpu_name(), "classes": CLASSES,
        "test_images": TEST_IMAGES, "runs": {},
    }  # fmt: skip
    data = ("--data", str(corpus / "images.csv"), "--classes", CLASSES, "--no-pictures")
    images = [word for number in TEST_IMAGES for word in ("--index", str(number))]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name, options in RUNS.items():
            chainrule(work, "train", *data, *options.split(), "--run", name)
        chainrule(work, "committee", "committee", "--members", "sgd-step,momentum-cosine,fast")
        for folder in sorted((work / "runs").iterdir()):
            saved = sorted(folder.glob("checkpoints/*"))
            for other in {*saved, *folder.glob(".*")} - {*saved[-2:-1]}:
                other.unlink()
            for half in saved[-2:-1]:
                with safe_open(half, "np") as file:
                    expected["numerics"] |= json.loads(file.metadata()["numerics"])
            seen = chainrule(work, "predict", folder.name, *images)["predictions"]
            expected["runs"][folder.name] = {
                "sha256": digest(folder / "model.safetensors"),
                "predictions": [image["probabilities"] for image in seen],
            }
            shutil.copytree(folder, corpus / folder.name)
    (corpus / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()

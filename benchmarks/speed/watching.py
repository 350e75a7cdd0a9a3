"""Overhead of `--watch`: the same run with and without it, interleaved, with a page connected.

    python -m benchmarks.speed.watching --pairs 10

Prints the ratio of the training seconds: median and interquartile range over the pairs. The goal
is below 1.03.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from statistics import median, quantiles
from threading import Thread
from urllib.request import urlopen

COMMAND = (sys.executable, "-m", "chainrule", "train", "--no-pictures", "--json", "--recipe")


def seconds(recipe: str, epochs: int, run: str, folder: str, *, watch: bool) -> float:
    """The seconds of training of one run, as it tells them itself."""
    options = ["--watch", "--no-open", "--port", "0"] if watch else []
    process = subprocess.Popen(
        [*COMMAND, recipe, "--epochs", str(epochs), "--run", run, *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
    )  # fmt: skip
    assert process.stderr
    assert process.stdout
    for line in process.stderr:
        if line.startswith("watch it learn: "):
            address = line.split(": ")[1].strip()
            Thread(target=look_on, args=[address], daemon=True).start()
    result = json.loads(process.stdout.read())
    process.wait()
    return float(result["train_seconds"])


def look_on(address: str) -> None:
    """Reads the events as a page does, and shows none."""
    with urlopen(f"{address}/events") as events:
        while events.readline():
            pass


def main() -> None:
    """Measures pairs of runs, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--epochs", type=int, default=8)
    asked = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(asked.pairs):
            found = {}
            for watch in (False, True) if pair % 2 else (True, False):
                run = f"{pair}-{'watched' if watch else 'plain'}"
                found[watch] = seconds(asked.recipe, asked.epochs, run, folder, watch=watch)
            ratios.append(found[True] / found[False])
            print(f"{found[False]:.2f} s plain, {found[True]:.2f} s watched: {ratios[-1]:.3f}")
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    print(
        f"{asked.recipe}, {asked.pairs} pairs: {median(ratios):.3f} times as long "
        f"(middle half {low:.3f} to {high:.3f})"
    )


if __name__ == "__main__":
    main()

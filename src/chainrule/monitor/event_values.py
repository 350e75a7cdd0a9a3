"""Values of events: what each may be, by its kind, wherever events are read from a file.

The page draws what it is given: it has no rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chainrule.core.rules import ListOf, Rule, Table, Text, Value
from chainrule.data.dataset import MOST_CLASSES
from chainrule.training.checkpoint_values import COUNT, EPOCH, RATE, SECONDS

NUMBER = Value(absent=True)
"""Of a measurement; null stands for one that is not finite."""
PAIR = ListOf(NUMBER, 2, 2)
"""Loss and accuracy."""
PLACE = Value(float, 0, 1e18)
"""In epochs, with their fractions."""
WORDS = Text(1000)
SIDES = ListOf(Value(int, 1, 2**20), 2, 2)
PICTURES = Text(2**24, pattern="[A-Za-z0-9+/]*={0,2}")
"""Bytes as base64."""
AT: dict[str, Rule] = {"step": COUNT, "epoch": PLACE, "text": WORDS}
KINDS: dict[str, Table] = {
    "begin": Table({
        "run": WORDS, "recipe": WORDS, "widths": ListOf(COUNT, 1025, absent=True),
        "activations": ListOf(Text(40), 1024), "parameters": Value(int, 0, 10**18, absent=True),
        "classes": ListOf(Text(10_000), MOST_CLASSES), "shape": SIDES, "epochs": COUNT,
        "batches": COUNT, "examples": COUNT, "looked_at": ListOf(COUNT, 2, 2),
    }),
    "observation": Table(
        AT | {
            "seconds": SECONDS, "learning_rate": Value(float, 0, 1e30, absent=True),
            "training": PAIR, "validation": ListOf(NUMBER, 2, 2, absent=True),
            "layers": ListOf(ListOf(NUMBER, 3, 2), 1024),
            "mistakes": ListOf(ListOf(NUMBER, 4, 4), 1000),
        },
        needed=("step", "epoch", "learning_rate", "training", "layers", "mistakes"),
    ),
    "epoch": Table(
        {name: Value(rule.kind, rule.low, rule.high, absent=True) for name, rule in EPOCH.items()},
        needed=("epoch", "loss", "validation_loss", "learning_rate", "seconds"),
    ),
    "by_hand": Table(
        AT | {"action": Text(pattern="pause|resume|rate|stop"), "factor": RATE, "rate": RATE},
        needed=("step", "text"),
    ),
    "image": Table({"index": COUNT, "pixels": PICTURES}, needed=("index", "pixels")),
    "weights": Table(
        AT | {"units": Value(int, 0, 4096), "scale": NUMBER, "pictures": PICTURES},
        needed=("units", "scale", "pictures"),
    ),
    "refused": Table(AT, needed=("step", "text")),
    "end": Table(
        AT | {"ending": Text(40), "test_accuracy": Value(float, 0, 1, absent=True)},
        needed=("ending", "text"),
    ),
}  # fmt: skip
"""What is none of these names may be anything: nothing of ours reads it."""
BEGUN = {"observation": ("looked_at", "shape"), "weights": ("shape", "widths")}
"""What the run's beginning must say before the page can draw these."""


def wrong(event: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with an event of a known kind, in sentences."""
    rules = KINDS.get(event["kind"])
    for _, what in rules.broken(event) if rules else ():
        yield f"{event['kind']}: {what}"


def check_story(events: Iterable[Mapping[str, Any]]) -> None:
    """Raises ValueError, in a sentence, unless the events tell all that the page draws."""
    begin: Mapping[str, Any] = {}
    for number, event in enumerate(events, 1):
        kind = event["kind"]
        if kind == "begin":
            begin = event
        rules = KINDS.get(kind)
        missing = rules.missing(event) if rules else []
        missing += [f"{name} at its beginning" for name in BEGUN.get(kind, ()) if name not in begin]
        if missing:
            raise ValueError(f"line {number}: {kind}: it has no {missing[0]}")

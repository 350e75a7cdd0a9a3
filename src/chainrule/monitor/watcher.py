"""Watcher of a training run: runs the probe now and then, and executes commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from queue import Empty
from time import perf_counter
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.files import is_file
from chainrule.experiments.job import Job
from chainrule.monitor.control import Command, View, change_rate
from chainrule.monitor.events import BY_HAND, FILE, read_events, until, write_lines
from chainrule.monitor.probe import Measured, Probe, as_pictures, grey
from chainrule.training.checkpointer import Checkpointer
from chainrule.training.train import Epoch
from chainrule.web.bundle import base64

EVERY = 0.25
"""Least seconds between two observations."""
SHARE = 0.015
"""Most of the training time to spend on observations: a larger network is observed less often."""
PICTURES_EVERY = 1.0
"""Seconds between two pictures of the first layer."""
WRITTEN_EVERY = 30.0
"""Seconds after which the event log is written at the end of an epoch."""
BLINK = 0.2
"""Seconds within which a paused run reacts to Ctrl-C."""


class Watcher:
    """Watcher: called before each step, then calls the checkpointer, which saves."""

    def __init__(
        self,
        job: Job,
        checkpointer: Checkpointer,
        folder: Path,
        by_hand: list[dict[str, Any]],
        *,
        view: View,
        say: Callable[[str], None],
    ) -> None:
        self.job = job
        self.checkpointer = checkpointer
        self.progress = checkpointer.progress
        self.folder = folder
        self.event_log = view.event_log
        self.commands = view.commands
        self.say = say
        self.probe = Probe(job.network, job.train, job.validation, loss=job.loss)
        self.batches = -(-len(job.train[1]) // (job.settings.batch_size or len(job.train[1])))
        self.stopped = False
        asked = checkpointer.interrupted
        checkpointer.interrupted = lambda: self.stopped or asked()
        self.paused = False
        self.by_hand = by_hand
        self.due = 0.0
        self.pictures_due = 0.0
        self.written = perf_counter()
        self.cost = 0.0
        self.shown: set[int] = set()
        earlier = sum(float(epoch["seconds"]) for epoch in checkpointer.history)
        self.started = perf_counter() - earlier - self.progress.seconds
        self.waited = 0.0
        """Paused seconds in this epoch."""

    def __call__(self) -> bool:
        """Called before each step: True if training must stop, and then everything is saved."""
        if self.probe.armed:
            self._look()
        elif not self.commands.empty():
            self._obey()
        elif perf_counter() >= self.due:
            began = perf_counter()
            self.probe.arm()
            self.cost = perf_counter() - began
        return self.checkpointer()

    def begin(self, *, recipe: str, classes: Iterable[str]) -> None:
        """Logs the run's description, and the events from before an interruption."""
        settings, network = self.job.settings, self.job.network
        self.event_log.add(
            "begin",
            run=self.folder.name,
            recipe=recipe,
            widths=network.widths,
            activations=[layer.activation for layer in network.layers],
            parameters=network.parameter_count,
            classes=list(classes),
            shape=list(self.job.shape),
            epochs=settings.epochs,
            batches=self.batches,
            examples=len(self.job.train[1]),
            looked_at=[
                len(self.probe.training[1]),
                len(self.probe.validation[1]) if self.probe.validation else 0,
            ],
        )
        for event in self._seen_before():
            if event["kind"] == "image" and isinstance(event.get("index"), int):
                self.shown.add(event["index"])
            self.event_log.add(event["kind"], **event)
        if not self.progress.step:
            # Before training, so that the probe's memory is allocated by then.
            self._look()
            self.due = 0.0

    def _seen_before(self) -> list[dict[str, Any]]:
        path = self.folder / FILE
        if not self.progress.step or not path.is_file():
            return []
        try:
            return until(read_events(path), self.progress.step)
        except (OSError, ValueError) as error:
            self.say(f"warning: the curves start over: {error}")
            return []

    def following(self, epochs: Iterable[Epoch]) -> Iterator[Epoch]:
        """The epochs, each logged as it passes, without its paused time."""
        for epoch in epochs:
            told = replace(epoch, seconds=max(epoch.seconds - self.waited, 0.0))
            self.waited = 0.0
            self.event_log.add("epoch", **asdict(told))
            if perf_counter() - self.written >= WRITTEN_EVERY:
                self.write()
            yield told

    def end(self, ending: str, text: str, **figures: Any) -> None:
        """Logs a last observation, and how the run ended."""
        self.probe.armed = False
        self._look(last=True)
        self._tell("end", ending=ending, text=text, **figures)
        self.write()

    def write(self) -> None:
        """Writes watch.jsonl; a failing disk does not stop training."""
        self.written = perf_counter()
        try:
            self.event_log.write(self.folder)
        except OSError as error:
            self.say(f"warning: {FILE} not written: {error}")

    def _tell(self, kind: str, **values: Any) -> None:
        position = self.progress.epoch + self.progress.batches / self.batches
        self.event_log.add(
            kind, step=self.progress.step, epoch=round(position, 5), **_rounded(values)
        )

    def _look(self, *, last: bool = False) -> None:
        began = perf_counter()
        seen = self.probe.observe()
        for mistake in seen.mistakes:
            if mistake.index not in self.shown:
                self.shown.add(mistake.index)
                picture = grey(self.probe.held[0][mistake.index][None])
                self.event_log.add("image", index=mistake.index, pixels=base64(picture))
        self._tell(
            "observation",
            seconds=began - self.started,
            learning_rate=self.job.schedule(max(self.progress.step - 1, 0)),
            training=_pair(seen.training),
            validation=seen.validation and _pair(seen.validation),
            layers=[[c.update_ratio, c.stuck, c.flat] for c in seen.layers],
            mistakes=[[m.index, m.label, m.predicted, m.confidence] for m in seen.mistakes],
        )
        if last or began >= self.pictures_due:
            self.pictures_due = began + PICTURES_EVERY
            pictures, scale = as_pictures(self.job.network.W[0])
            self._tell("weights", units=len(pictures), scale=scale, pictures=base64(pictures))
        now = perf_counter()
        self.cost += now - began
        self.due = now + max(EVERY, self.cost / SHARE)

    def _obey(self) -> None:
        """Executes the pending commands; while training is paused, waits for more."""
        began = perf_counter()
        while (self.paused or not self.commands.empty()) and not self.checkpointer.interrupted():
            with suppress(Empty):
                self._carry_out(self.commands.get(timeout=BLINK))
        waited = perf_counter() - began
        self.started += waited
        if self.stopped:
            # These seconds include earlier pauses but not this one: no step followed it.
            self.progress.seconds = max(self.progress.seconds - self.waited, 0.0)
        else:
            self.waited += waited

    def _carry_out(self, command: Command) -> None:
        if command.action == "pause" and not self.paused:
            self.paused = True
            self.checkpointer.save()
            self._tell("by_hand", action="pause", text="paused")
        elif command.action == "resume" and self.paused:
            self.paused = False
            self._tell("by_hand", action="resume", text="resumed")
        elif command.action == "stop":
            self.paused, self.stopped = False, True
            self._tell("by_hand", action="stop", text="stopped")
        elif command.action == "rate":
            self._change_rate(command)

    def _change_rate(self, command: Command) -> None:
        step = self.progress.step
        try:
            before, after = change_rate(self.job.schedule, step, command)
        except ValueError as error:
            self._tell("refused", text=str(error))
            return
        text = f"learning rate x {after / before:.4g}, from {before:.4g} to {after:.4g}"
        entry = {"step": step, "text": text, "factor": after / before}
        try:
            write_by_hand(self.folder, [*self.by_hand, entry])
        except OSError as error:
            change_rate(self.job.schedule, step, Command("rate", rate=before))
            self._tell("refused", text=f"the change could not be written down: {error}")
            return
        self.by_hand.append(entry)
        # Checkpoints from here on have the new rate: a resumed run continues with it.
        self.checkpointer.save()
        self._tell("by_hand", action="rate", text=text, factor=after / before, rate=after)
        self.say(f"step {step}: {text}, by hand")


def still_by_hand(folder: Path, step: int) -> list[dict[str, Any]]:
    """Changes by hand of a run that resumes at this step; later ones are undone.

    Raises ConfigError for a damaged file.
    """
    path = folder / BY_HAND
    if not is_file(path):
        return []
    try:
        events = read_events(path)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    kept = until(events, step)
    entries = [{name: event[name] for name in event if name != "kind"} for event in kept]
    if len(kept) < len(events):
        write_by_hand(folder, entries)
    return entries


def write_by_hand(folder: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Writes by_hand.jsonl, one change a line."""
    write_lines(folder / BY_HAND, (json.dumps({"kind": "by_hand"} | entry) for entry in entries))


def _pair(measured: Measured) -> list[float | None]:
    return [measured.loss, measured.accuracy]


def _rounded(value: Any) -> Any:
    """The value with each number rounded to five digits: more cannot be seen."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value

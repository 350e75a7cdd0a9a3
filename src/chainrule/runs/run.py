"""What `chainrule train` does once it knows what is wanted: data in, run folder out."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from chainrule.cli.console import note, print_json
from chainrule.cli.find_lr import find_learning_rate
from chainrule.cli.progress import shown
from chainrule.core.blas import cores, describe_blas
from chainrule.core.errors import ConfigError, DivergenceError
from chainrule.core.fingerprint import fingerprint
from chainrule.data.dataset import Dataset
from chainrule.evaluation.assessment import assess, headline
from chainrule.experiments.job import Job, prepare, run
from chainrule.experiments.settings import Settings
from chainrule.monitor.control import View
from chainrule.monitor.watcher import Watcher, still_by_hand
from chainrule.nn.model_file import Model, save
from chainrule.optim.optimizers import SGD
from chainrule.runs import folder as runs
from chainrule.runs.interrupt import interruptible
from chainrule.runs.lock import only_writer
from chainrule.runs.pictures import draw
from chainrule.runs.resume import begun, saved_run
from chainrule.service import live_view as live
from chainrule.training.checkpointer import Every, Keeper
from chainrule.training.microbatches import team_size
from chainrule.training.state import Progress
from chainrule.training.train import Epoch

CODES = {"finished": 0, "stopped": 0, "diverged": 1, "SIGINT": 130, "SIGTERM": 143}
"""How a run ended -> exit code"""


@dataclass(frozen=True)
class Request:
    """What `chainrule train` was asked for."""

    settings: Settings
    asked_for: frozenset[str]
    recipe: str
    origin: runs.Origin
    run: str
    every: Every
    resume: Path | None
    """The folder of the run to go on with."""
    require_exact: bool
    find_rate: bool
    offline: bool
    pictures: bool
    verbose: bool
    watch: bool = False
    port: int = 0
    """Of the live view; 0: any that is free."""
    browser: bool = True
    """Whether the live view is opened in it."""


def execute(request: Request, *, say: Callable[[str], None], quiet: bool, as_json: bool) -> int:
    """Trains, writes the run folder, prints the result; returns the exit code, see CODES.

    However training ends, the folder holds the weights so far, and `--resume` goes on from there.
    """
    if request.watch and request.find_rate:
        raise ConfigError("--find-lr only looks for a learning rate: leave out --watch")
    watching: AbstractContextManager[View | None] = nullcontext()
    if request.watch:
        watching = live.opened(request.port, browser=request.browser, say=say)
    with watching as view:
        return _prepared(request, view, say, quiet=quiet, as_json=as_json)


def _prepared(
    request: Request,
    view: View | None,
    say: Callable[[str], None],
    *,
    quiet: bool,
    as_json: bool,
) -> int:
    started = perf_counter()
    data = runs.load_data(request.origin, offline=request.offline, report=say)
    job = prepare(request.settings, data, asked_for=request.asked_for)
    if request.find_rate:
        return find_learning_rate(
            job, data, name=request.run, recipe=request.recipe, origin=request.origin,
            as_json=as_json,
        )  # fmt: skip
    folder = request.resume or runs.claim_folder(request.run, otherwise=request.recipe)
    with only_writer(folder):
        if not request.resume:
            runs.write_config(
                folder, job.settings, data, recipe=request.recipe, origin=request.origin
            )
        return _execute(
            request, folder, data, job, started, view, say, quiet=quiet, as_json=as_json
        )


def _execute(
    request: Request,
    folder: Path,
    data: Dataset,
    job: Job,
    started: float,
    view: View | None,
    say: Callable[[str], None],
    *,
    quiet: bool,
    as_json: bool,
) -> int:
    size = job.settings.batch_size or len(job.train[1])
    whole = job.settings.compiled and isinstance(job.optimizer, SGD)
    workers = team_size(job.network, size, job.settings.threads, whole=whole)
    numerics = fingerprint(workers, compiled=job.settings.compiled)
    progress, epochs = Progress(), list[dict[str, object]]()
    if request.resume:
        snapshot = saved_run(
            folder, job.settings, data.checksums, numerics, say=say, exact=request.require_exact
        )
        if snapshot:
            progress, epochs = snapshot.progress, snapshot.history
            say(f"going on with {folder} after {begun(progress)}")
    by_hand = still_by_hand(folder, progress.step if progress.arrays else -1)
    if request.verbose:
        say(f"{describe_blas()}; each step on {workers} of {cores()} cores")
    say(f"{len(job.train[1]):,} images to train on: {data.source}")
    say(f"{' -> '.join(map(str, job.network.widths))}: {job.network.parameter_count:,} parameters")
    with interruptible() as interrupt:
        keeper = Keeper(
            folder / "checkpoints", request.every, asdict(job.settings), data.checksums, numerics,
            progress, epochs, interrupt, say,
        )  # fmt: skip
        watcher = None
        if view:
            watcher = Watcher(
                job, keeper, folder, by_hand, journal=view.journal, orders=view.orders, say=say
            )
            watcher.begin(recipe=request.recipe, classes=data.classes)
        failure = _train(job, keeper, watcher, quiet=quiet)
        ending = "diverged" if failure else "finished"
        if watcher and watcher.stopped:
            ending = "stopped"
        if interrupt.signal:
            ending = signal.Signals(interrupt.signal).name

    history = [Epoch(**epoch) for epoch in keeper.history]
    runs.write_history(folder, history)
    model = Model(
        job.network.folded(),
        classes=data.classes,
        shape=data.shape,
        pixel_scale=255 / job.settings.pixel_divisor,
        summary={"recipe": request.recipe, "seed": job.settings.seed, "epochs": len(history)}
        | ({"changes_by_hand": len(by_hand)} if by_hand else {}),
    )
    save(model, folder / "model.safetensors")
    found = assess(model, *data.test)
    if ending in ("finished", "stopped") and request.pictures:
        draw(folder, model, data, found, history)
    result = {
        "recipe": request.recipe,
        "seed": job.settings.seed,
        "test_accuracy": found.accuracy,
        "test_error": found.errors / len(found.labels),
        "train_seconds": round(sum(epoch.seconds for epoch in history), 3),
        "total_seconds": round(perf_counter() - started, 3),
        "epochs": len(history),
        "run": str(folder),
        "parameters": job.network.parameter_count,
    }
    details = {
        "ending": "interrupted" if interrupt.signal else ending,
        "interval": found.interval,
        "errors": found.errors,
        "confusion": found.confusion.tolist(),
        "mistakes": found.mistakes(),
    } | ({"by_hand": by_hand} if by_hand else {})
    runs.write_report(folder, result | details)
    if watcher:
        watcher.end(str(details["ending"]), headline(found), test_accuracy=found.accuracy)
    if failure:
        note(f"error: {failure}")
    if as_json:
        print_json(result)
    else:
        print(headline(found))
        print(
            f"{len(history)} epochs in {result['train_seconds']:.1f} s of training, "
            f"{result['total_seconds']:.1f} s in all"
        )
        print(f"{folder}: {', '.join(runs.contents(folder))}")
    if by_hand:
        say(f"changes by hand: {len(by_hand)}, see report.json; config.toml is not all of this run")
    if ending not in ("finished", "diverged"):
        note(
            f"{details['ending']} after {begun(progress)}: the weights so far are in {folder}; "
            f"to go on: chainrule train --resume {folder.name}"
        )
    return CODES[ending]


def _train(
    job: Job, keeper: Keeper, watcher: Watcher | None, *, quiet: bool
) -> DivergenceError | None:
    """Trains to the end, or as far as it goes; what went wrong."""
    epochs = run(job, stop=watcher or keeper, progress=keeper.progress)
    if watcher:
        epochs = watcher.following(epochs)
    try:
        for epoch in shown(epochs, job.settings.epochs, quiet=quiet):
            keeper.add(epoch)
    except DivergenceError as error:
        return error
    return None

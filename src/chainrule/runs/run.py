"""Training run: data in, run folder and result out.

However training ends, the folder holds the weights so far, and a request to resume continues from
there. Nothing is printed here: `say` gets one line for people at a time, `follow` sees the epochs
as they pass, and `view` is the live view, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from chainrule.core.blas import cores, describe_blas
from chainrule.core.errors import DivergenceError
from chainrule.core.fingerprint import fingerprint
from chainrule.data.dataset import Dataset
from chainrule.data.load import Report
from chainrule.digits.form import in_words, measure
from chainrule.evaluation.assessment import assess, headline
from chainrule.evaluation.learning import shortfall
from chainrule.evaluation.views import looks
from chainrule.experiments.job import Job, run
from chainrule.experiments.recipes import combine
from chainrule.monitor.control import View
from chainrule.monitor.watcher import Watcher, still_by_hand
from chainrule.nn.model_file import Model, check_saveable, save
from chainrule.nn.preprocessing import Preprocessing
from chainrule.optim.optimizers import SGD
from chainrule.runs.files import begin, saving, write_config, write_history, write_report
from chainrule.runs.folder import claim_folder
from chainrule.runs.interrupt import Interrupt, interruptible
from chainrule.runs.lock import only_writer
from chainrule.runs.origin import load_data
from chainrule.runs.pictures import draw, untold
from chainrule.runs.request import Request, TrainedRun, best_epoch, check_request, job_of
from chainrule.runs.resume import saved_run, so_far
from chainrule.training.checkpointer import Checkpointer
from chainrule.training.microbatches import team_size
from chainrule.training.state import Progress
from chainrule.training.train import Epoch, as_epoch

CONFIG, MODEL = "config.toml", "model.safetensors"
Follow = Callable[[Iterator[Epoch], int], Iterator[Epoch]]
"""(epochs as they pass, number planned) -> the same epochs."""


@dataclass(frozen=True)
class _Setup:
    """Setup of a run, before training."""

    request: Request
    data: Dataset
    job: Job
    form: Preprocessing | None
    """Form of the training images."""
    folder: Path
    say: Report
    config: bytes
    """Content of config.toml."""


@dataclass(frozen=True)
class _Trained:
    """Trained run, before evaluation."""

    checkpointer: Checkpointer
    watcher: Watcher | None
    by_hand: list[dict[str, Any]]
    signal: int
    failure: DivergenceError | None

    @property
    def ending(self) -> str:
        if self.signal:
            return "interrupted"
        if self.watcher and self.watcher.stopped:
            return "stopped"
        return "diverged" if self.failure else "finished"


def unfollowed(epochs: Iterator[Epoch], total: int) -> Iterator[Epoch]:
    """The epochs, unchanged: the default for `follow`."""
    del total
    return epochs


def train_run(
    request: Request,
    *,
    say: Report,
    follow: Follow = unfollowed,
    view: View | None = None,
    told: Callable[[TrainedRun], None] = untold,
) -> TrainedRun:
    """Trains to the end or an interruption, and writes the run folder.

    `told` hears the result before the first picture is drawn. The first Ctrl-C or SIGTERM ends it
    after a step (in the main thread). Raises ConfigError, DataError or FolderInUseError where it
    cannot start, SaveError where checkpoints cannot be written.
    """
    began = perf_counter()
    with ExitStack() as held:
        if request.resume:
            held.enter_context(only_writer(request.resume))
        setup = _set_up(request, say)
        folder = setup.folder
        again = f"then: chainrule train --resume {folder.name}"
        if not request.resume:
            held.enter_context(only_writer(folder, new=True))
        interrupt = held.enter_context(interruptible())
        if not request.resume:
            begin(folder, setup.config, remedy="then train again")
        trained = _train(setup, view, follow, interrupt)
        with saving(folder, "its end", remedy=again):
            done, model = _measured(setup, trained, began)
        told(done)
        with saving(folder, "a picture (the model and the figures are there)", remedy=again):
            _draw(setup, done, model, interrupt)
            done = replace(done, signal=interrupt.signal, total_seconds=_since(began))
            write_report(folder, done.report())
        if trained.watcher:
            found = done.assessment
            text = "; ".join((headline(found), *done.remarks()))
            trained.watcher.end(done.ending, text, test_accuracy=found.accuracy)
    return done


def _set_up(request: Request, say: Report) -> _Setup:
    """Setup of a run, after all checks; its folder is claimed last."""
    check_request(request)
    data = load_data(
        request.origin, offline=request.offline, report=say, checksums=request.checksums
    )
    job, config = job_of(request, data)
    form = measure(data.train.images, data.shape, white=data.white)
    check_saveable(_model(job, data, form, {}), MODEL)
    folder = request.resume or claim_folder(request.run, otherwise=request.recipe)
    return _Setup(request, data, job, form, folder, say, config)


def _since(began: float) -> float:
    return round(perf_counter() - began, 3)


def _train(setup: _Setup, view: View | None, follow: Follow, interrupt: Interrupt) -> _Trained:
    """Trains to the end or an interruption."""
    request, job, folder = setup.request, setup.job, setup.folder
    numerics, progress, epochs = _start(setup)
    by_hand = still_by_hand(folder, progress.step if progress.arrays else -1)
    _announce(setup)
    checkpointer = Checkpointer(
        folder / "checkpoints", request.every, asdict(job.settings), setup.data.checksums,
        numerics, progress, epochs, interrupt, setup.say,
    )  # fmt: skip
    watcher = None
    if view:
        watcher = Watcher(job, checkpointer, folder, by_hand, view=view, say=setup.say)
        watcher.begin(recipe=request.recipe, classes=setup.data.classes)
    failure = _steps(job, checkpointer, watcher, follow)
    return _Trained(checkpointer, watcher, by_hand, interrupt.signal, failure)


def _steps(
    job: Job, checkpointer: Checkpointer, watcher: Watcher | None, follow: Follow
) -> DivergenceError | None:
    """Trains epoch by epoch, saving; returns the divergence that ended it, if any."""
    epochs = run(job, stop=watcher or checkpointer, progress=checkpointer.progress)
    if watcher:
        epochs = watcher.following(epochs)
    try:
        for epoch in follow(epochs, job.settings.epochs):
            checkpointer.add(epoch)
    except DivergenceError as error:
        return error
    checkpointer.end()
    return None


def _start(setup: _Setup) -> tuple[dict[str, str], Progress, list[dict[str, Any]]]:
    """(fingerprint, progress, history) at the start; those of the checkpoint, if resumed."""
    request, settings, folder = setup.request, setup.job.settings, setup.folder
    numerics = fingerprint(_workers(setup.job), compiled=settings.compiled)
    checkpoint = None
    if request.resume:
        checkpoint = saved_run(
            folder, setup.job, setup.data.checksums, numerics,
            say=setup.say, exact=request.require_exact,
        )  # fmt: skip
        if combine(file=folder / CONFIG, resumed=True)[0] != settings:
            with saving(folder, "its settings", remedy="then resume again"):
                write_config(folder, setup.config)
    if not checkpoint:
        return numerics, Progress(), []
    setup.say(f"resuming {folder} after {so_far(checkpoint.progress)}")
    return numerics, checkpoint.progress, checkpoint.history


def _workers(job: Job) -> int:
    """Number of cores that share a step."""
    size = job.settings.batch_size or len(job.train[1])
    whole = job.settings.compiled and isinstance(job.optimizer, SGD)
    return team_size(job.network, size, job.settings.threads, whole=whole)


def _announce(setup: _Setup) -> None:
    job, say = setup.job, setup.say
    if setup.request.verbose:
        say(f"{describe_blas()}; each step on {_workers(job)} of {cores()} cores")
    held = f", {len(job.validation[1]):,} held out for validation" if job.validation else ""
    there = len(setup.data.train.labels)
    count = len(job.train[1]) + (len(job.validation[1]) if job.validation else 0)
    left = f", {there - count:,} left out (--examples)" if count < there else ""
    say(f"{len(job.train[1]):,} {setup.data.noun} to train on{held}{left}: {setup.data.source}")
    for remark in job.remarks:
        say(remark)
    if setup.form:
        say(in_words(setup.form, job.shape))
    say(f"{' -> '.join(map(str, job.network.widths))}: {job.network.parameter_count:,} parameters")


def _measured(setup: _Setup, trained: _Trained, began: float) -> tuple[TrainedRun, Model]:
    """Evaluates the model, saves it and writes the figures of the run folder."""
    request, data, job, folder = setup.request, setup.data, setup.job, setup.folder
    history = [as_epoch(record) for record in trained.checkpointer.history]
    write_history(folder, history)
    summary = {"recipe": request.recipe, "seed": job.settings.seed, "epochs": len(history)}
    if trained.by_hand:
        summary["changes_by_hand"] = len(trained.by_hand)
    if trained.ending != "finished":
        summary["ending"] = trained.ending
    model = _model(job, data, setup.form, summary)
    found, warning = assess(model, *data.test), ""
    if trained.ending in ("finished", "stopped"):
        warning = shortfall(job, history, found)
    if warning:
        model = replace(model, summary=summary | {"warning": warning})
    save(model, folder / MODEL)
    if request.origin.test and (otherwise := looks(model, data)):
        setup.say(f"warning: {otherwise}")
    done = TrainedRun(
        folder=folder,
        recipe=request.recipe,
        seed=job.settings.seed,
        parameters=job.network.parameter_count,
        images={
            "training_images": len(job.train[1]),
            "validation_images": len(job.validation[1]) if job.validation else 0,
        },
        planned=job.settings.epochs,
        progress=trained.checkpointer.progress,
        history=history,
        assessment=found,
        warning=warning,
        best_epoch=best_epoch(job.settings, trained.checkpointer.progress, history),
        total_seconds=_since(began),
        by_hand=trained.by_hand,
        ending=trained.ending,
        signal=trained.signal,
        failure=trained.failure,
    )
    write_report(folder, done.report())
    return done, model


def _draw(setup: _Setup, done: TrainedRun, model: Model, interrupt: Interrupt) -> None:
    """Draws the pictures of a whole run, unless they are not asked for, or a signal came."""
    job = setup.job
    if not setup.request.pictures or done.ending not in ("finished", "stopped"):
        return
    held = f", validation on {len(job.validation[1]):,}" if job.validation else ""
    of = f"Training on {len(job.train[1]):,} {setup.data.noun}{held}, seed {job.settings.seed}."
    draw(setup.folder, model, setup.data, done.assessment, done.history, of=of, stop=interrupt)


def _model(job: Job, data: Dataset, form: Preprocessing | None, summary: dict[str, Any]) -> Model:
    """The network with everything needed to use it."""
    return Model(
        job.network.folded(),
        classes=data.classes,
        shape=data.shape,
        pixel_scale=255 / job.settings.pixel_divisor,
        summary=summary,
        preprocessing=form,
        schema=data.schema,
    )

"""What `chainrule train` does once it knows what is wanted: data in, run folder out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from chainrule.checkpoint import Model, save
from chainrule.cli import runs
from chainrule.cli.console import interruptible, note, print_json
from chainrule.cli.progress import shown
from chainrule.cli.report import assess, draw, headline
from chainrule.optimizers import SGD
from chainrule.parallel import cores, describe_blas
from chainrule.recipes import Job, prepare, run
from chainrule.settings import Settings
from chainrule.steps import DivergenceError, crew_size
from chainrule.training import Epoch


@dataclass(frozen=True)
class Request:
    """What `chainrule train` was asked for."""

    settings: Settings
    asked_for: frozenset[str]
    recipe: str
    origin: runs.Origin
    run: str
    offline: bool
    pictures: bool
    verbose: bool


def execute(request: Request, *, say: Callable[[str], None], quiet: bool, as_json: bool) -> int:
    """Trains, writes the run folder, prints the result; returns the exit code.

    0 done, 1 diverged, 130 interrupted; in each case the folder holds the weights so far.
    """
    started = perf_counter()
    data = runs.load_data(request.origin, offline=request.offline, report=say)
    job = prepare(request.settings, data, asked_for=request.asked_for)
    folder = runs.claim_folder(request.run, otherwise=request.recipe)
    runs.write_config(
        folder, job.settings, data, recipe=request.recipe,
        origin=request.origin,
    )  # fmt: skip
    if request.verbose:
        size = job.settings.batch_size or len(job.train[1])
        whole = job.settings.compiled and isinstance(job.optimizer, SGD)
        used = crew_size(job.network, size, job.settings.threads or None, whole=whole)
        say(f"{describe_blas()}; each step on {used} of {cores()} cores")
    say(f"{len(job.train[1]):,} images to train on: {data.source}")
    say(f"{' -> '.join(map(str, job.network.widths))}: {job.network.parameter_count:,} parameters")
    history, ending, failure = _train(job, quiet=quiet)

    runs.write_history(folder, history)
    model = Model(
        job.network,
        classes=data.classes,
        shape=data.shape,
        pixel_scale=255 / job.settings.pixel_divisor,
        summary={"recipe": request.recipe, "seed": job.settings.seed, "epochs": len(history)},
    )
    save(model, folder / "model.safetensors")
    found = assess(model, *data.test)
    if ending == "finished" and request.pictures:
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
        "ending": ending,
        "interval": found.interval,
        "errors": found.errors,
        "confusion": found.confusion.tolist(),
        "mistakes": found.mistakes(),
    }
    runs.write_report(folder, result | details)
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
        print(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    if ending == "interrupted":
        note(f"interrupted after {len(history)} epochs: the weights so far are in {folder}")
    return {"finished": 0, "diverged": 1, "interrupted": 130}[ending]


def _train(job: Job, *, quiet: bool) -> tuple[list[Epoch], str, DivergenceError | None]:
    """(the epochs, how it ended, what went wrong)"""
    history: list[Epoch] = []
    with interruptible() as stop:
        try:
            for epoch in shown(run(job, stop=stop), job.settings.epochs, quiet=quiet):
                history.append(epoch)
        except DivergenceError as error:
            return history, "diverged", error
        return history, "interrupted" if stop.happened else "finished", None

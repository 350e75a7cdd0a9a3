"""`chainrule train`: data, training, report, in one run folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.console import (
    Classes,
    Json,
    Offline,
    Quiet,
    Source,
    TestSource,
    contents_line,
    names,
    note,
    print_json,
    silence,
)
from chainrule.cli.find_lr import print_search
from chainrule.cli.progress import shown

if TYPE_CHECKING:
    from chainrule.monitor.control import View
    from chainrule.runs.request import TrainedRun

ORDER = 10
CODES = {"finished": 0, "stopped": 0, "diverged": 1}
"""How a run ended -> exit code; 128 and the signal's number where one interrupted it."""


def _option(help_text: str, metavar: str | None = None) -> Any:
    return typer.Option(help=help_text, metavar=metavar)


def train(
    recipe: Annotated[
        str, _option("fast, plain, accurate, record, t99, sprint, or an article's; see reproduce.")
    ] = "",
    config: Annotated[Path | None, _option("A TOML file of settings.", "FILE")] = None,
    data: Source = "mnist",
    test_data: TestSource = "",
    classes: Classes = "",
    run: Annotated[str, _option("Name of the folder under runs/.", "NAME")] = "",
    seed: Annotated[int | None, _option("Decides everything random.")] = None,
    layers: Annotated[str | None, _option("Such as 784,128,64,10.", "LIST")] = None,
    activation: Annotated[
        str | None,
        _option("relu, leaky-relu, elu, gelu, silu, tanh, sigmoid; or one for each layer.", "LIST"),
    ] = None,
    initializer: Annotated[
        str | None, _option("he, glorot, lecun, normal, uniform, zeros.")
    ] = None,
    loss: Annotated[
        str | None, _option("softmax-cross-entropy, sigmoid-cross-entropy, mean-squared-error.")
    ] = None,
    label_smoothing: Annotated[float | None, _option("0 to 0.999.")] = None,
    optimizer: Annotated[
        str | None, _option("sgd, momentum, nesterov, rmsprop, adam, adamw.")
    ] = None,
    learning_rate: Annotated[float | None, _option("The highest, if it changes.")] = None,
    schedule: Annotated[str | None, _option("constant, step, cosine, one-cycle, plateau.")] = None,
    warm_up: Annotated[float | None, _option("Epochs of rising learning rate.")] = None,
    batch_size: Annotated[int | None, _option("0: all examples at once.")] = None,
    epochs: Annotated[int | None, _option("Passes over the training set.")] = None,
    l2: Annotated[float | None, _option("Penalty on the weights, in the loss.")] = None,
    weight_decay: Annotated[float | None, _option("Penalty apart from the loss.")] = None,
    max_norm: Annotated[float | None, _option("Longest gradient; 0: any.")] = None,
    max_weight_norm: Annotated[
        float | None, _option("Longest vector of one unit's weights; 0: any.")
    ] = None,
    batch_norm: Annotated[bool | None, typer.Option(help="Normalise hidden sums.")] = None,
    dropout: Annotated[float | None, _option("Share of hidden units left out.")] = None,
    input_dropout: Annotated[float | None, _option("Share of inputs left out.")] = None,
    noise: Annotated[float | None, _option("Noise added between layers.")] = None,
    input_noise: Annotated[float | None, _option("Noise added to the inputs.")] = None,
    average: Annotated[float | None, _option("Decay of averaged weights; 0: none.")] = None,
    rotation: Annotated[float | None, _option("Distort images: up to so many degrees.")] = None,
    scaling: Annotated[float | None, _option("Distort: sides divided by 1 +- this.")] = None,
    shear: Annotated[float | None, _option("Distort: lean by up to so many degrees.")] = None,
    shift: Annotated[float | None, _option("Distort: by up to so many pixels.")] = None,
    elastic: Annotated[float | None, _option("Distort: Simard's alpha, such as 36.")] = None,
    elastic_sigma: Annotated[float | None, _option("Distort: blur of the field, pixels.")] = None,
    validation: Annotated[int | None, _option("Hold out the last so many examples.")] = None,
    patience: Annotated[
        int | None, _option("Stop after more epochs than this without a lower validation loss.")
    ] = None,
    examples: Annotated[int | None, _option("Train on the first so many; 0: all.")] = None,
    shuffle: Annotated[
        bool | None, typer.Option(help="Another order in each epoch, or that of the file.")
    ] = None,
    dtype: Annotated[str | None, _option("float32 or float64.")] = None,
    threads: Annotated[int | None, _option("Cores to use at most; 0: all.")] = None,
    compiled: Annotated[
        bool | None, typer.Option(help="Adam's update or SGD's steps in machine code; needs numba.")
    ] = None,
    checkpoint_every: Annotated[
        str, _option("Also save within epochs: every 20 steps, or every 30s.", "20|30s")
    ] = "",
    resume: Annotated[
        str, _option("Go on with this run, from its newest whole checkpoint.", "RUN")
    ] = "",
    require_exact: Annotated[
        bool, typer.Option("--require-exact", help="Go on only if the last bits will be the same.")
    ] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Only look for a learning rate; writes its curve.")
    ] = False,
    pictures: Annotated[bool, typer.Option(help="Draw pictures into the run folder.")] = True,
    watch: Annotated[
        bool, typer.Option("--watch", help="Watch it learn, live in the browser.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="With --watch: its port; 0: any.", min=0, max=65535)
    ] = 8765,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="With --watch: open no browser.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name BLAS, its kernel and its threads.")
    ] = False,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a network; without options the recipe `fast` on MNIST.

    Settings come from the recipe, then the file, then the options; the later win. A list of layers
    without a recipe starts from plain settings: Adam, 5 epochs, batches of 128.

    Example: chainrule train --recipe fast --seed 0 --run mine
    """
    from chainrule.core.errors import ConfigError
    from chainrule.experiments.recipes import combine
    from chainrule.runs.folder import existing
    from chainrule.runs.lr_search import search_learning_rate
    from chainrule.runs.origin import Origin, origin_of
    from chainrule.runs.request import Request
    from chainrule.runs.run import train_run
    from chainrule.service.live_view import opened
    from chainrule.training.checkpointer import every

    say = silence if quiet else note

    flags = {
        "seed": seed,
        "layers": None if layers is None else _numbers(layers),
        "activation": None if activation is None else tuple(activation.split(",")),
        "initializer": initializer,
        "loss": loss,
        "label_smoothing": label_smoothing,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "warm_up": warm_up,
        "batch_size": batch_size,
        "epochs": epochs,
        "l2": l2,
        "weight_decay": weight_decay,
        "max_norm": max_norm,
        "max_weight_norm": max_weight_norm,
        "batch_norm": batch_norm,
        "dropout": dropout,
        "input_dropout": input_dropout,
        "noise": noise,
        "input_noise": input_noise,
        "average": average,
        "rotation": rotation,
        "scaling": scaling,
        "shear": shear,
        "shift": shift,
        "elastic": elastic,
        "elastic_sigma": elastic_sigma,
        "validation": validation,
        "patience": patience,
        "examples": examples,
        "shuffle": shuffle,
        "dtype": dtype,
        "threads": threads,
        "compiled": compiled,
    }
    origin = Origin(data, test_data, names(classes))
    if resume:
        if find_lr:
            raise ConfigError("--find-lr begins anew: leave out --resume")
        if recipe or config or run or origin != Origin():
            raise ConfigError(
                "--resume takes recipe, data and name from the run: leave out --recipe, --config, "
                "--run, --data, --test-data and --classes"
            )
        folder = existing(resume)
        settings, asked_for = combine(file=folder / "config.toml", flags=flags)
        name, origin = origin_of(folder)
    else:
        folder = None
        settings, asked_for = combine(recipe, file=config, flags=flags)
        name = recipe or ("custom" if config or "layers" in asked_for else "fast")
    request = Request(
        settings=settings,
        asked_for=asked_for,
        recipe=name,
        origin=origin,
        run=run,
        every=every(checkpoint_every),
        resume=folder,
        require_exact=require_exact,
        offline=offline,
        pictures=pictures,
        verbose=verbose,
    )
    if find_lr:
        if watch:
            raise ConfigError("--find-lr only looks for a learning rate: leave out --watch")
        print_search(search_learning_rate(request, say=say), as_json=json)
        return
    watching: AbstractContextManager[View | None] = nullcontext()
    if watch:
        watching = opened(port, browser=not no_open, say=say)
    with watching as view:
        done = train_run(request, say=say, follow=partial(shown, quiet=quiet), view=view)
        print_run(done, say=say, as_json=json)
    raise typer.Exit(128 + done.signal if done.signal else CODES[done.ending])


def print_run(done: TrainedRun, *, say: Callable[[str], None], as_json: bool) -> None:
    """The result on stdout; what went wrong and how to go on, on stderr."""
    from chainrule.evaluation.assessment import headline
    from chainrule.runs.resume import so_far

    if done.failure:
        note(f"error: {done.failure}")
    if as_json:
        print_json(done.as_json())
    else:
        print(headline(done.assessment))
        print(
            f"{len(done.history)} epochs in {done.train_seconds:.1f} s of training, "
            f"{done.total_seconds:.1f} s in all"
        )
        print(contents_line(done.folder))
    if done.by_hand:
        say(
            f"changes by hand: {len(done.by_hand)}, see report.json; "
            "config.toml alone does not reproduce this run"
        )
    if done.ending in ("interrupted", "stopped"):
        note(
            f"{done.ending} after {so_far(done.progress)}: the weights so far are in "
            f"{done.folder}; to go on: chainrule train --resume {done.folder.name}"
        )


def _numbers(layers: str) -> tuple[int, ...]:
    try:
        return tuple(int(width) for width in layers.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{layers!r}: give whole numbers with commas between, such as 784,128,64,10",
            param_hint="--layers",
        ) from None

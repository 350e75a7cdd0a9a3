"""`chainrule train`: a training run, with its results in one run folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.completion import completer, recipes, runs
from chainrule.cli.console import (
    Classes,
    Json,
    Label,
    Missing,
    Offline,
    Quiet,
    Source,
    TestSource,
    contents_line,
    names,
    note,
    print_json,
    show,
    silence,
)
from chainrule.cli.find_lr import print_search
from chainrule.cli.options import given, with_settings
from chainrule.cli.progress import shown

if TYPE_CHECKING:
    from chainrule.monitor.control import View
    from chainrule.runs.request import TrainedRun

ORDER = 10
PORT = 8765
"""Of the live view, unless given."""
CODES = {"finished": 0, "stopped": 0, "diverged": 1}
"""Ending of a run -> exit code; 128 plus the signal's number for an interruption."""

_run_option = partial(typer.Option, rich_help_panel="run")


@with_settings(usual="fast")
def train(
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Settings to start from: {recipe}.",
            autocompletion=completer(recipes),
        ),
    ] = "",
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file of settings.")
    ] = None,
    data: Source = "mnist",
    test_data: TestSource = "",
    classes: Classes = "",
    label: Label = "",
    missing: Missing = "",
    run: Annotated[str, _run_option(metavar="NAME", help="Name of the folder under runs/.")] = "",
    checkpoint_every: Annotated[
        str,
        _run_option(
            metavar="20|30s", help="Save at least every 20 steps, or every 30s, also within epochs."
        ),
    ] = "",
    resume: Annotated[
        str,
        _run_option(
            metavar="RUN",
            help="Resume this run from its newest whole checkpoint.",
            autocompletion=completer(runs),
        ),
    ] = "",
    start: Annotated[
        str,
        _run_option(
            "--from",
            metavar="RUN|FILE",
            help="Start from the weights of this run or model file, with its layers.",
            autocompletion=completer(runs),
        ),
    ] = "",
    require_exact: Annotated[
        bool,
        _run_option("--require-exact", help="Resume only if the result will be bit-identical."),
    ] = False,
    find_lr: Annotated[
        bool, _run_option("--find-lr", help="Only search for a learning rate; writes its curve.")
    ] = False,
    pictures: Annotated[bool, _run_option(help="Draw pictures into the run folder.")] = True,
    watch: Annotated[
        bool, _run_option("--watch", help="Watch training live in the browser.")
    ] = False,
    port: Annotated[
        int | None,
        _run_option(help="With --watch: port; 0: any. [default: 8765]", min=0, max=65535),
    ] = None,
    no_open: Annotated[
        bool, _run_option("--no-open", help="With --watch: open no browser.")
    ] = False,
    verbose: Annotated[
        bool, _run_option("--verbose", "-v", help="Name BLAS, its kernel and its threads.")
    ] = False,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
    **settings: Any,
) -> None:
    """Train a network; without options the recipe `fast` on MNIST, and `table` on a table.

    Settings come from the recipe, then the file, then the options; the last one wins. A list of
    layers without a recipe starts from plain settings: Adam, 5 epochs, batches of 128.

    Example: chainrule train --recipe fast --seed 0 --run mine
    """
    from chainrule.core.errors import ConfigError
    from chainrule.experiments.recipes import combine
    from chainrule.runs.folder import existing
    from chainrule.runs.lr_search import search_learning_rate
    from chainrule.runs.origin import Origin, named_in, origin_of, usual_recipe
    from chainrule.runs.request import Request, check_request
    from chainrule.runs.run import train_run
    from chainrule.runs.start import Start, start_in
    from chainrule.service.live_view import opened
    from chainrule.training.checkpointer import every

    say = silence if quiet else note
    flags = given(settings)
    origin = Origin(data, test_data, names(classes), label, missing)
    checksums: dict[str, str] = {}
    if not watch and (port is not None or no_open):
        raise ConfigError("--port and --no-open are for --watch: add it, or leave them out")
    if require_exact and not resume:
        raise ConfigError("--require-exact is for --resume: add it, or leave it out")
    if resume:
        if find_lr:
            raise ConfigError("--find-lr starts a new run: leave out --resume")
        if recipe or config or run or start or origin != Origin():
            raise ConfigError(
                "--resume takes recipe, data and name from the run: leave out --recipe, --config, "
                "--run, --from, --data and what belongs to it"
            )
        folder = existing(resume)
        begun = start_in(folder / "config.toml")
        chosen, asked_for = combine(file=folder / "config.toml", flags=flags, resumed=True)
        name, origin = origin_of(folder / "config.toml")
    else:
        folder = None
        begun = Start.of(start) if start else start_in(config) if config else None
        if start and begun:
            flags = begun.architecture() | {k: v for k, v in flags.items() if v is not None}
        usual = usual_recipe(origin)
        chosen, asked_for = combine(
            recipe or (usual if start and not config else ""), file=config, flags=flags, usual=usual
        )
        own = config or ("layers" in asked_for and not start)
        name = recipe or ("custom" if own else usual)
        if config and origin == Origin():
            named, origin, checksums = named_in(config)
            name = recipe or named or name
    request = Request(
        settings=chosen,
        asked_for=asked_for,
        recipe=name,
        origin=origin,
        checksums=checksums,
        run=run,
        start=begun,
        every=every(checkpoint_every),
        resume=folder,
        require_exact=require_exact,
        offline=offline,
        pictures=pictures,
        verbose=verbose,
    )
    if find_lr:
        if watch:
            raise ConfigError("--find-lr only searches for a learning rate: leave out --watch")
        found = search_learning_rate(request, say=say, told=partial(print_search, as_json=json))
        if not json:
            show(contents_line(found.folder))
        return
    watching: AbstractContextManager[View | None] = nullcontext()
    if watch:
        check_request(request)  # before a browser is opened
        # --quiet or not: without the address, and the token in it, nobody could watch.
        watching = opened(PORT if port is None else port, browser=not no_open, say=note)
    with watching as view:
        done = train_run(
            request, say=say, follow=partial(shown, quiet=quiet), view=view,
            told=partial(print_result, as_json=json),
        )  # fmt: skip
        print_end(done, say=say, as_json=json)
    raise typer.Exit(128 + done.signal if done.signal else CODES[done.ending])


def print_result(done: TrainedRun, *, as_json: bool) -> None:
    """Prints the result on stdout, a divergence on stderr."""
    from chainrule.evaluation.assessment import headline

    if done.failure:
        note(f"error: {done.failure}")
    if as_json:
        print_json(done.as_json())
    else:
        show(headline(done.assessment))
        for remark in done.remarks():
            show(remark)


def print_end(done: TrainedRun, *, say: Callable[[str], None], as_json: bool) -> None:
    """Prints, once the pictures are drawn, the times and the folder; how to resume on stderr."""
    from chainrule.runs.resume import so_far

    if not as_json:
        show(
            f"{len(done.history)} epochs in {done.train_seconds:.1f} s of training, "
            f"{done.total_seconds:.1f} s in all"
        )
        show(contents_line(done.folder))
    if done.by_hand:
        say(
            f"changes by hand: {len(done.by_hand)}, see report.json; "
            "config.toml alone does not reproduce this run"
        )
    if done.ending in ("interrupted", "stopped"):
        note(
            f"{done.ending} after {so_far(done.progress)}: the weights so far are in "
            f"{done.folder}; to resume: chainrule train --resume {done.folder.name}"
        )
    elif done.signal:
        note(
            f"interrupted once training had ended: the network and its figures are in "
            f"{done.folder}; for the pictures: chainrule train --resume {done.folder.name}"
        )

"""`chainrule committee`: an ensemble of runs in one model file, trained first if missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    print_table,
    show,
    silence,
)

if TYPE_CHECKING:
    from chainrule.runs.ensembles import Ensemble

ORDER = 30
RECIPE, SEEDS = "record", "0,1,2,3,4"


def committee(
    name: Annotated[str, typer.Argument(help="Name of the folder under runs/.")],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Recipe of the members: {{recipe}}. [default: {RECIPE}; of a table: table]",
            autocompletion=completer(recipes),
        ),
    ] = "",
    seeds: Annotated[
        str, typer.Option(metavar="LIST", help=f"A seed for each member; by default {SEEDS}.")
    ] = "",
    members: Annotated[
        str,
        typer.Option(
            metavar="RUN,RUN,...",
            help="Finished runs to use instead.",
            autocompletion=completer(runs, listed=True),
        ),
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Members trained at a time.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Cores for each member; by default all, shared by the jobs."),
    ] = None,
    data: Source = "mnist",
    test_data: TestSource = "",
    classes: Classes = "",
    label: Label = "",
    missing: Missing = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Average the probabilities of several networks, usually more accurate than the best of them.

    The members are runs NAME-seed-0, ...: kept if finished, resumed if begun, else started. After
    an interruption the same command resumes. The result is one model file in a folder of its own,
    for evaluate, predict and compare.

    Example: chainrule committee five --recipe fast --seeds 0,1,2,3,4 --jobs 2
    """
    from chainrule.core.errors import ConfigError
    from chainrule.runs.ensembles import join_runs, seeds_in, train_ensemble
    from chainrule.runs.origin import Origin, usual_recipe
    from chainrule.runs.train_members import MemberError

    say = silence if quiet else note
    origin = Origin(data, test_data, names(classes), label, missing)
    if members:
        if recipe or seeds or origin != Origin():
            raise ConfigError(
                "--members takes recipe, seeds and data from the runs: leave out --recipe, "
                "--seeds, --data and what belongs to it"
            )
        made = join_runs(name, members.split(","), offline=offline, say=say)
    else:
        try:
            made = train_ensemble(
                name, recipe or usual_recipe(origin, RECIPE), seeds_in(seeds or SEEDS),
                origin=origin, jobs=jobs, threads=threads, offline=offline, quiet=quiet, say=say,
            )  # fmt: skip
        except MemberError as error:
            note(f"error: {error}; the same command resumes")
            if json:
                print_json({"error": str(error)})
            raise typer.Exit(error.code) from None
    if json:
        print_json(made.as_json())
    else:
        _print(made)


def _print(made: Ensemble) -> None:
    """Prints a table of the members, their mean, and the ensemble's accuracy."""
    from chainrule.evaluation.assessment import headline

    count = len(made.members)
    print_table(
        f"{count} member{'s' * (count != 1)}, {made.parameters:,} parameters",
        ("run", "recipe", "seed", "wrong", "error %"),
        [
            (m.run, m.report["recipe"], str(m.report["seed"]), str(m.report["errors"]),
             f"{100 * m.report['test_error']:.2f}")
            for m in made.members
        ],
    )  # fmt: skip
    if made.sd_error is not None:
        show(
            f"each alone: {100 * made.mean_error:.3f} ± {100 * made.sd_error:.3f} % wrong, mean "
            f"and standard deviation of {count} members"
        )
    for run in made.guessers():
        show(f"{run} is not significantly better than guessing: leave it out, or train it again")
    show(f"together: {headline(made.assessment)}")
    show(contents_line(made.folder))

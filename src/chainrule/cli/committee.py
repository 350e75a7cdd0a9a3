"""`chainrule committee`: several runs in one model file, trained first where they are not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.completion import completer, recipes, runs
from chainrule.cli.console import (
    Classes,
    Json,
    Offline,
    Quiet,
    Source,
    TestSource,
    names,
    note,
    print_json,
    print_table,
    silence,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainrule.runs.members import Member

RECIPE, SEEDS = "record", "0,1,2,3,4"
MOST_SEEDS = 256
LONGEST_NAME = 80


def committee(
    name: Annotated[str, typer.Argument(help="Of its folder under runs/.")],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"That of the members: {{recipe}}. [default: {RECIPE}]",
            autocompletion=completer(recipes),
        ),
    ] = "",
    seeds: Annotated[
        str, typer.Option(metavar="LIST", help=f"One for each member; by default {SEEDS}.")
    ] = "",
    members: Annotated[
        str,
        typer.Option(
            metavar="RUN,RUN,...",
            help="Finished runs to take instead.",
            autocompletion=completer(runs, listed=True),
        ),
    ] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Members trained at a time.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=0, help="Cores for each; by default all, shared by the jobs.")
    ] = None,
    data: Source = "mnist",
    test_data: TestSource = "",
    classes: Classes = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Average the probabilities of several networks, which usually err less than the best of them.

    The members are runs NAME-seed-0, ...: kept if finished, gone on with if begun, else started.
    The same command goes on where it was ended. What is made is one model file in a folder of its
    own, for evaluate, predict and compare.

    Example: chainrule committee five --recipe fast --seeds 0,1,2,3,4 --jobs 2
    """
    from chainrule.core.errors import ConfigError
    from chainrule.runs.folder import Origin
    from chainrule.runs.members import read_member
    from chainrule.runs.train_members import Wanted, train_missing

    say = silence if quiet else note
    origin = Origin(data, test_data, names(classes))
    if members:
        if recipe or seeds or origin != Origin():
            raise ConfigError(
                "--members takes recipe, seeds and data from the runs: leave out --recipe, "
                "--seeds, --data, --test-data and --classes"
            )
        listed = members.split(",")
    else:
        numbers = seeds_in(seeds or SEEDS)
        listed = [f"{name}-seed-{seed}" for seed in numbers]
    _check_free(name, listed)
    if not members:
        wanted = Wanted(
            dict(zip(listed, numbers, strict=True)), recipe or RECIPE, origin, threads, offline
        )
        code, message = train_missing(wanted, jobs=jobs, say=say, quiet=quiet)
        if code:
            note(f"error: {message}; the same command goes on")
            if json:
                print_json({"error": message})
            raise typer.Exit(code)
    _make(name, [read_member(run) for run in listed], offline=offline, say=say, as_json=json)


def seeds_in(text: str) -> list[int]:
    """`0,1,4` or `0..4`; ConfigError for anything else, or for a seed that is there twice."""
    from chainrule.core.errors import ConfigError

    numbers: list[int] = []
    if match := re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", text):
        numbers = list(range(int(match[1]), int(match[2]) + 1)[: MOST_SEEDS + 1])
    elif re.fullmatch(r"\d{1,9}(,\d{1,9})*", text):
        numbers = [int(number) for number in text.split(",")]
    if not 1 <= len(numbers) <= MOST_SEEDS or len(set(numbers)) < len(numbers):
        raise ConfigError(f"seeds {text}: give different whole numbers, such as 0,1,2 or 0..4")
    return numbers


def _check_free(name: str, members: Sequence[str]) -> None:
    """Raises ConfigError unless the name is free, or that of a committee of the same members."""
    from chainrule.core.errors import ConfigError
    from chainrule.experiments.settings import read_tables
    from chainrule.runs.folder import NAME, RUNS, contents

    # Its members' names are longer.
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"name {name!r}: use at most {LONGEST_NAME} letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    folder = RUNS / name
    if not folder.exists() or (folder.is_dir() and not contents(folder)):
        return
    config = folder / "config.toml"
    there = read_tables(config).get("committee") if config.is_file() else None
    if there != {"members": list(members)}:
        raise ConfigError(
            f"name {name!r} is taken, {folder} is not a committee of {', '.join(members)}: "
            "give another name"
        )


def _make(
    name: str,
    members: Sequence[Member],
    *,
    offline: bool,
    say: Callable[[str], None],
    as_json: bool,
) -> None:
    """Writes the committee's folder and prints what it is worth."""
    from statistics import mean, stdev

    from chainrule.core.files import make_folder
    from chainrule.evaluation.assessment import assess_saved, headline
    from chainrule.nn.model_file import save
    from chainrule.runs import folder as runs
    from chainrule.runs.lock import only_writer
    from chainrule.runs.members import shared_settings, together

    model, config = together(members), members[0].config
    dataset = runs.data_of(model, config, "", offline=offline, report=say)
    found = assess_saved(name, model, dataset)
    errors = [member.report["test_error"] for member in members]
    make_folder(runs.RUNS)
    folder = make_folder(runs.RUNS / name)
    result = {
        "recipe": model.summary["recipe"],
        "members": [
            {"run": member.run}
            | {key: member.report[key] for key in ("recipe", "seed", "errors", "test_error")}
            for member in members
        ],
        "mean_error": mean(errors),
        "sd_error": stdev(errors) if len(errors) > 1 else None,
        "test_accuracy": found.accuracy,
        "test_error": found.errors / len(found.labels),
        "errors": found.errors,
        "interval": found.interval,
        "train_seconds": round(sum(member.report["train_seconds"] for member in members), 3),
        "parameters": model.parameter_count,
        "run": str(folder),
    }
    tables = {
        "committee": {"members": tuple(member.run for member in members)},
        "settings": shared_settings(members),
        "run": {"recipe": model.summary["recipe"]},
        "data": runs.Origin.from_config(config).as_config(),
        "checksums": dataset.checksums,
    }
    with only_writer(folder):
        runs.write_tables(folder, tables)
        save(model, folder / "model.safetensors")
        details = {"ending": "finished", "confusion": found.confusion.tolist()}
        runs.write_report(folder, result | details | {"mistakes": found.mistakes()})
    if as_json:
        print_json(result)
        return
    print_table(
        f"{len(members)} members, {model.parameter_count:,} parameters",
        ("run", "recipe", "seed", "wrong", "error %"),
        [
            (m.run, m.report["recipe"], str(m.report["seed"]), str(m.report["errors"]),
             f"{100 * m.report['test_error']:.2f}")
            for m in members
        ],
    )  # fmt: skip
    spread = f" ± {100 * stdev(errors):.3f}" if len(errors) > 1 else ""
    print(f"each alone: {100 * mean(errors):.3f}{spread} % wrong, mean and standard deviation")
    print(f"together: {headline(found)}")
    print(f"{folder}: {', '.join(runs.contents(folder))}")

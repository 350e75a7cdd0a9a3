"""`chainrule reproduce`: the articles' numbers beside ours."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from chainrule.cli.completion import articles, completer
from chainrule.cli.console import (
    Json,
    Offline,
    Quiet,
    Source,
    note,
    print_json,
    print_table,
    show,
    silence,
)
from chainrule.cli.streams import styled

if TYPE_CHECKING:
    from chainrule.articles.ablations import Worth
    from chainrule.articles.claims import Claim
    from chainrule.articles.running import Moment
    from chainrule.core.errors import SaveError
    from chainrule.runs.reproduction import Reproduction

ORDER = 100


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="{article}; 1 to 5; or all.",
            autocompletion=completer(lambda: (*articles(), "all")),
        ),
    ],
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Runs where an article gives no seed; by default 5, article 5: 1."
        ),
    ] = None,
    fix: Annotated[
        str, typer.Option(metavar="QUIRK", help="Correct one of the article's mistakes.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Only what takes seconds.")] = False,
    data: Source = "mnist",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Rerun an article, and compare each number that it prints.

    Verdicts: exact (equal to the last digit printed), within (inside the spread or tolerance that
    the note states), outside, not judged (the note says why). Exit code 1 if any is outside. A
    folder under runs/ keeps claims, curve and page.

    Example: chainrule reproduce sigmoid-72-36 --fix scalar-bias-gradient
    """
    from chainrule.articles import named
    from chainrule.articles.ablations import ablation_of
    from chainrule.articles.claims import verdicts
    from chainrule.articles.running import Effort
    from chainrule.core.errors import ConfigError
    from chainrule.runs.folder import check_name
    from chainrule.runs.interrupt import interruptible
    from chainrule.runs.origin import Origin, load_data
    from chainrule.runs.reproduction import reproduce

    articles = named(name)
    if fix and name == "all":
        raise ConfigError(f"--fix {fix}: name the article that makes this mistake, not all")
    if fix:
        ablation_of(articles[0], fix)
    check_name("")
    origin = Origin(data)
    dataset = load_data(origin, offline=offline, report=silence if quiet else note)
    effort = Effort(seeds=seeds, quick=quick)
    results: list[Reproduction] = []
    unsaved: SaveError | None = None

    def told(result: Reproduction) -> None:
        if not json:
            _print(result)
        elif name != "all":
            print_json(result.as_json())

    with interruptible() as interrupt:
        for article in articles:
            with _display(quiet=quiet) as display:
                run = partial(
                    reproduce, article, dataset, effort, origin=origin, fix=fix, stop=interrupt
                )
                unsaved = _one(run, display, results, told) or unsaved
            if interrupt():
                break
    ok = all(result.ok for result in results)
    if json and name == "all":
        print_json({"recipes": [result.as_json() for result in results], "ok": ok})
    elif not json and not interrupt():
        counts = verdicts(claim for result in results for claim in result.claims)
        show(f"{'ok: no claim is outside' if ok else 'NOT ok: a claim is outside'} ({counts})")
    if interrupt():
        last = results[-1]
        note(
            f"interrupted: {last.folder} holds what {last.article.recipe} came to until then, "
            f"claims settled: {len(last.claims)}; to begin again: chainrule reproduce {name}"
        )
        raise typer.Exit(128 + interrupt.signal)
    if unsaved:
        raise unsaved
    raise typer.Exit(0 if ok else 1)


def _one(
    run: Callable[..., object],
    display: _Display,
    results: list[Reproduction],
    told: Callable[[Reproduction], None],
) -> SaveError | None:
    """Reproduces an article, tells and keeps its result; the error of its curve, if that fails."""
    from chainrule.core.errors import SaveError

    before = len(results)

    def settled(claim: Claim) -> None:
        display.say(f"{claim.claim}: {claim.verdict}")

    def keep(result: Reproduction) -> None:
        display.close()
        results.append(result)
        told(result)

    try:
        run(hear=display.hear, settled=settled, told=keep)
    except Exception as error:
        if isinstance(error, SaveError) and len(results) > before:
            return error
        if notes := getattr(error, "__notes__", ()):
            note("; ".join(notes))
        raise
    return None


def _print(result: Reproduction) -> None:
    """Prints the claims as a table, their folder, and the commands that break the network."""
    from chainrule.runs.reproduction import PAGE

    print_table(
        f"{result.article.number}. {result.article.recipe}",
        ("claim", "published", "measured", "verdict", "note"),
        [(c.claim, c.published, c.measured, c.verdict, c.note) for c in result.claims],
    )
    if result.worth:
        show(worth_in_words(result.worth))
    show(f"{result.folder}: the claims, the curve, the model; open {PAGE} in any browser")
    if result.ending == "finished":
        show("To break it on purpose:")
        for command, see in result.article.commands():
            show(f"  {command}")
            show(f"      {see}")


def worth_in_words(worth: Worth) -> str:
    """Gain in accuracy from correcting a mistake, in one line."""
    points = 100 * (worth.fixed - worth.as_published)
    spread = "" if worth.sd is None else f" ± {100 * worth.sd:.2f}"
    seeds = "1 seed" if worth.sd is None else f"mean and standard deviation of {worth.seeds} seeds"
    return (
        f"without {worth.fix} ({worth.mistake}): {100 * worth.as_published:.2f} % -> "
        f"{100 * worth.fixed:.2f} % on test, worth {points:+.2f}{spread} points "
        f"({worth.epochs} epochs, {seeds})"
    )


class _Display(NamedTuple):
    """Progress display on stderr: listener for moments, printer of lines, and its end."""

    hear: Callable[[Moment], None]
    say: Callable[[str], None]
    close: Callable[[], None]


def _nothing() -> None:
    """End of a display that leaves no line open."""


@contextmanager
def _display(*, quiet: bool) -> Iterator[_Display]:
    if quiet:
        yield _Display(lambda _: None, silence, _nothing)
    elif sys.stderr.isatty():
        from rich.console import Console

        console = Console(file=styled(sys.stderr), highlight=False, markup=False)
        with console.status("") as status:
            yield _Display(lambda moment: status.update(_in_one_line(moment)), note, status.stop)
    else:
        yield _Display(_tenths, note, _nothing)


def _tenths(moment: Moment) -> None:
    """Prints a line as a run begins, and at each tenth of a long one."""
    tenth = moment.epochs // 10
    if moment.epoch == 0 or (tenth and moment.epoch % tenth == 0):
        note(_told(moment))


def _told(moment: Moment) -> str:
    if moment.epoch == 0:
        left = f", {duration(moment.seconds_left)} left" if moment.seconds_left else ""
        return f"{moment.run}: {moment.epochs} epoch{'s' * (moment.epochs != 1)}{left}"
    return (
        f"  {moment.epoch} of {moment.epochs}, loss {moment.loss:.4f}, "
        f"{duration(moment.seconds_left)} left"
    )


def _in_one_line(moment: Moment) -> str:
    told = _told(moment)
    return f"{moment.run}: {told.strip()}" if moment.epoch else told


def duration(seconds: float) -> str:
    """Duration in words: 45 s, 1 min 40 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

"""`chainrule reproduce`: the articles' numbers and ours, side by side."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

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
    silence,
)

if TYPE_CHECKING:
    from chainrule.articles.ablations import Worth

ORDER = 100


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="{article}, or all.", autocompletion=completer(lambda: (*articles(), "all"))
        ),
    ],
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Runs where an article gives no seed; by default 5, article 5: 1."
        ),
    ] = None,
    fix: Annotated[
        str, typer.Option(metavar="QUIRK", help="Put one of the article's mistakes right.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Only what takes seconds.")] = False,
    data: Source = "mnist",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run what an article ran, and compare each number that it prints.

    Verdicts: exact (equal to the last digit printed), within (inside the spread or tolerance that
    the note states), outside. Exit code 1 if any is outside.

    Example: chainrule reproduce sigmoid-72-36 --fix scalar-bias-gradient
    """
    from chainrule.articles.ablations import FIXES, worth_of
    from chainrule.articles.running import ARTICLES, Effort
    from chainrule.core.errors import ConfigError
    from chainrule.core.tables import remedy
    from chainrule.runs.origin import Origin, load_data

    names = list(ARTICLES) if name == "all" else [name]
    if names[0] not in ARTICLES:
        raise ConfigError(f"unknown article {name!r}: {remedy(name, [*ARTICLES, 'all'])}")
    if fix and (name == "all" or fix not in FIXES[name]):
        known = [fix for article in names for fix in FIXES[article]]
        raise ConfigError(f"{name} has no quirk {fix!r}: {remedy(fix, known)}")
    say = silence if quiet else note
    dataset = load_data(Origin(data), offline=offline, report=say)
    effort = Effort(seeds=seeds, quick=quick)
    results: list[dict[str, Any]] = []
    for article in names:
        claims = []
        for claim in ARTICLES[article](dataset, effort, say):
            claims.append(claim)
            say(f"{article}: {claim.claim}: {claim.verdict}")
        ok = bool(claims) and all(claim.verdict != "outside" for claim in claims)
        results.append({"recipe": article, "claims": [asdict(c) for c in claims], "ok": ok})
        if not json:
            print_table(
                article,
                ("claim", "published", "measured", "verdict", "note"),
                [(c.claim, c.published, c.measured, c.verdict, c.note) for c in claims],
            )
    if fix:
        worth = worth_of(name, fix, dataset, effort, say)
        results[0]["fix"] = asdict(worth)
        if not json:
            print(_worth_in_words(worth))
    ok = all(result["ok"] for result in results)
    if json:
        print_json({"recipes": results, "ok": ok} if name == "all" else results[0])
    else:
        print("ok: no claim is outside" if ok else "NOT ok: a claim is outside")
    raise typer.Exit(0 if ok else 1)


def _worth_in_words(worth: Worth) -> str:
    points = 100 * (worth.fixed - worth.as_published)
    return (
        f"without {worth.fix} ({worth.mistake}): {100 * worth.as_published:.2f} % -> "
        f"{100 * worth.fixed:.2f} % on test, worth {points:+.2f} points "
        f"({worth.epochs} epochs, mean of {worth.seeds} seeds)"
    )

"""`chainrule compare`: two networks on the same test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import Json, Offline, Quiet, note, print_json, print_table, show, silence

if TYPE_CHECKING:
    from chainrule.evaluation.comparison import Comparison

ORDER = 50


def compare(
    run_a: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file.", autocompletion=completer(runs)
        ),
    ],
    run_b: Annotated[str, typer.Argument(help="Another one.", autocompletion=completer(runs))],
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="Data other than they were trained with; all of them, or their test part.",
        ),
    ] = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare two networks on the same test images, with McNemar's exact test.

    Only images that one network gets right and the other wrong count: if both were equally good,
    they would fall to either side like coin flips. The test compares two networks, not two recipes:
    another seed gives another network.

    Example: chainrule compare mine yours
    """
    from chainrule.runs.evaluation import compare_runs

    found = compare_runs(run_a, run_b, data=data, offline=offline, say=silence if quiet else note)
    if json:
        print_json(found.as_json())
    else:
        _print(found)


def _print(found: Comparison) -> None:
    """Prints both headlines, the table of agreement, the verdict."""
    from chainrule.evaluation.assessment import headline

    a, b = found.name_a, found.name_b
    show(f"{a}: {headline(found.a)}")
    show(f"{b}: {headline(found.b)}")
    print_table(
        "right and wrong",
        ("", f"{b} right", f"{b} wrong"),
        [
            (f"{a} right", f"{found.both_right:,}", f"{found.only_a_right:,}"),
            (f"{a} wrong", f"{found.only_b_right:,}", f"{found.both_wrong:,}"),
        ],
    )
    show(found.verdict())

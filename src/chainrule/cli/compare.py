"""`chainrule compare`: whether one network is better than another, or only luckier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import Json, Offline, Quiet, note, print_json, print_table, silence

if TYPE_CHECKING:
    from chainrule.data.dataset import Dataset
    from chainrule.nn.model_file import Model

LEVEL = 0.05
"""A difference that luck alone gives less often than this is told from luck."""


def compare(
    run_a: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file.", autocompletion=completer(runs)
        ),
    ],
    run_b: Annotated[str, typer.Argument(help="Another one.", autocompletion=completer(runs))],
    data: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Other data than they were trained with.")
    ] = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare two networks on the same test images, with McNemar's exact test.

    Only the images that one reads rightly and the other wrongly count: were both equally good, they
    would fall to either side like a coin. This is about two networks, not about two recipes:
    another seed is another network.

    Example: chainrule compare mine yours
    """
    from chainrule.core.statistics import mcnemar
    from chainrule.evaluation.assessment import assess_saved, headline
    from chainrule.runs.folder import data_of, read_run

    (a, config_a), (b, config_b) = read_run(run_a), read_run(run_b)
    _check_alike(run_a, a, run_b, b)
    dataset = data_of(
        a, config_a or config_b, data, offline=offline, report=silence if quiet else note
    )
    if not data:
        _check_same_test(run_a, run_b, config_b, dataset)
    found = assess_saved(run_a, a, dataset), assess_saved(run_b, b, dataset)
    right_a, right_b = (one.labels == one.predicted for one in found)
    counts = {
        "both_right": int((right_a & right_b).sum()),
        "only_a_right": int((right_a & ~right_b).sum()),
        "only_b_right": int((~right_a & right_b).sum()),
        "both_wrong": int((~right_a & ~right_b).sum()),
    }
    p = mcnemar(counts["only_a_right"], counts["only_b_right"])
    verdict = _verdict(run_a, run_b, counts["only_a_right"], counts["only_b_right"], p)
    if json:
        figures: list[dict[str, Any]] = [
            {"run": run, "accuracy": one.accuracy, "interval": one.interval, "errors": one.errors}
            for run, one in zip((run_a, run_b), found, strict=True)
        ]
        print_json(
            {"a": figures[0], "b": figures[1], "images": len(right_a)}
            | counts
            | {"p": p, "level": LEVEL, "told_from_luck": p < LEVEL, "verdict": verdict}
        )
        return
    print(f"{run_a}: {headline(found[0])}")
    print(f"{run_b}: {headline(found[1])}")
    print_table(
        "right and wrong",
        ("", f"{run_b} right", f"{run_b} wrong"),
        [
            (f"{run_a} right", f"{counts['both_right']:,}", f"{counts['only_a_right']:,}"),
            (f"{run_a} wrong", f"{counts['only_b_right']:,}", f"{counts['both_wrong']:,}"),
        ],
    )
    print(verdict)


def _check_alike(run_a: str, a: Model, run_b: str, b: Model) -> None:
    """Raises ConfigError unless both take the same images and know the same classes."""
    from chainrule.core.errors import ConfigError

    for what, one, other in (
        ("pixels", a.inputs, b.inputs),
        ("classes", a.outputs, b.outputs),
    ):
        if one != other:
            raise ConfigError(
                f"{run_a} has {one} {what}, {run_b} {other}: "
                "compare networks for the same images and the same classes"
            )
    if a.classes and b.classes and a.classes != b.classes:
        mine, yours = next(
            pair for pair in zip(a.classes, b.classes, strict=True) if len({*pair}) > 1
        )
        raise ConfigError(
            f"{run_a} has a class {mine!r} where {run_b} has {yours!r}: "
            "compare networks for the same classes in the same order"
        )


def _check_same_test(run_a: str, run_b: str, config: dict[str, Any], data: Dataset) -> None:
    """Raises DataError unless the second run was measured on these test images too."""
    from chainrule.core.errors import DataError

    sums = config.get("checksums", data.checksums)
    parts = ("test_images", "test_labels")
    if not isinstance(sums, dict) or any(sums.get(part) != data.checksums[part] for part in parts):
        raise DataError(
            f"{run_b}: its test images are not those of {run_a} ({data.source}), the checksums "
            "differ; give the data to compare them on with --data"
        )


def _verdict(run_a: str, run_b: str, only_a: int, only_b: int, p: float) -> str:
    """One sentence: whether the difference can be told from luck."""
    if only_a == only_b:
        return (
            f"{run_a} and {run_b} are right on as many images ({only_a:,} that the other has wrong "
            "each), so there is no difference to tell from luck (McNemar's exact test: p = 1)"
        )
    better, worse = (run_a, run_b) if only_a > only_b else (run_b, run_a)
    can = "can" if p < LEVEL else "cannot"
    return (
        f"{better} is right on {abs(only_a - only_b):,} images more than {worse}, which {can} be "
        f"told from luck at {100 * LEVEL:.0f} % (McNemar's exact test: p = {p:.3g}, of "
        f"{only_a + only_b:,} images that one of the two has right)"
    )

"""`chainrule predict`: the digits on a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import (
    Json,
    Offline,
    Quiet,
    note,
    print_json,
    print_table,
    show,
    silence,
)

if TYPE_CHECKING:
    from chainrule.runs.predictions import Detection

ORDER = 60
BAR = 40
"""Characters for a probability of 1."""
SURE = 0.8
OTHERS = 2
"""Most further classes in a row of the table."""


def predict(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file; else the newest run.",
            autocompletion=completer(runs),
        ),
    ] = "",
    images: Annotated[
        list[Path] | None, typer.Argument(help="PNG or JPEG files of any size.", metavar="IMAGE...")
    ] = None,
    index: Annotated[
        list[int] | None, typer.Option(help="Index of a test image, from 0; may be repeated.")
    ] = None,
    show: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Draw the picture with its digits and the network's inputs."
        ),
    ] = None,
    sure: Annotated[
        float, typer.Option(min=0, max=1, help="Mark a digit below this probability as not sure.")
    ] = SURE,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Read the digits on pictures, with the probability of each class.

    A picture of the training images' size and form is taken as it is. Else its ink is found and
    given their polarity, size and centre. Several digits on one picture are read line by line.

    Example: chainrule predict mine photo.jpg --show seen.png
    """
    from chainrule.runs.predictions import predict_run, run_and_pictures

    say = silence if quiet else note
    run, paths = run_and_pictures(run, images or [], say=say)
    if not paths and not index:
        raise typer.BadParameter("give image files, or --index", param_hint="IMAGE")
    if show and len(paths) + len(index or []) != 1:
        raise typer.BadParameter("give one image to draw", param_hint="--show")
    found = predict_run(
        run, paths, index=index or [], show=show, sure=sure, offline=offline, say=say
    )
    if json:
        print_json(found.as_json())
    for picture in () if json else found.pictures:
        if len(picture.detections) == 1:
            _print_one(picture.name, found.classes, picture.detections[0], sure)
        elif not picture.error:
            _print_several(picture.name, found.classes, picture.detections, sure)
    for picture in found.pictures:
        for line in picture.notes:
            say(f"{picture.name}: {line}")
    for picture in found.failed:
        note(f"error: {picture.error}")
    if found.failed:
        raise typer.Exit(1)


def _print_one(name: str, classes: tuple[str, ...], one: Detection, sure: float) -> None:
    label = classes[one.best]
    show(f"{name}: {label if one.confidence >= sure else f'not sure, perhaps {label}'}")
    for number, (label, p) in enumerate(zip(classes, one.probabilities, strict=True)):
        mark = "<-" if number == one.best else ""
        show(f"  {label:>4}  {100 * p:6.2f} %  {'#' * round(BAR * p)} {mark}".rstrip())


def _print_several(
    name: str, classes: tuple[str, ...], found: list[Detection], sure: float
) -> None:
    """Prints the digits line by line, with a question mark for each that is not sure."""
    lines: dict[int, str] = {}
    for one in found:
        read = classes[one.best] if one.confidence >= sure else "?"
        lines[one.digit.line] = lines.get(one.digit.line, "") + read
    for number, text in lines.items():
        show(f"{name}{f', line {number + 1}' if len(lines) > 1 else ''}: {text}")
    rows = []
    for one in found:
        row, column, height, width = one.digit.box
        order = sorted(range(len(classes)), key=lambda k: -one.probabilities[k])
        rest = ", ".join(
            f"{classes[k]} {_percent(one.probabilities[k])}" for k in order[1:][:OTHERS]
        )
        rows.append(
            (
                classes[one.best],
                _percent(one.confidence) + ("" if one.confidence >= sure else ", not sure"),
                rest,
                f"{width} x {height} at ({column}, {row})",
            )
        )
    print_table("each digit", ("digit", "probability", "else", "box (from the left, top)"), rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

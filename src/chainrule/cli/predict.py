"""`chainrule predict`: the digits on a picture."""

from __future__ import annotations

from itertools import islice
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
    from chainrule.runs.predictions import Detection, Predictions
    from chainrule.runs.rows import RowPredictions

ORDER = 60
BAR = 40
"""Characters for a probability of 1."""
SURE = 0.8
OTHERS = 2
"""Most further classes in a row of the table."""
MOST_SHOWN = 20
"""Most rows printed of a table."""


def predict(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file; else the newest run.",
            autocompletion=completer(runs),
        ),
    ] = "",
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            help="PNG or JPEG files of any size, folders of them, or a table.", metavar="FILE..."
        ),
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
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Write all predictions into this file."),
    ] = None,
    format: Annotated[
        str, typer.Option(metavar="csv|kaggle", help="Of --output; kaggle: ImageId,Label.")
    ] = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Read the digits on pictures, with the probability of each class.

    A picture of the training images' size and form is taken as it is. Else its ink is found and
    given their polarity, size and centre. Several digits on one picture are read line by line.
    Of a table, CSV or Parquet, each row is predicted. What cannot be read is named, and the others
    are predicted all the same.

    Example: chainrule predict mine photo.jpg --show seen.png
    """
    from chainrule.data.table.files import names_a_table
    from chainrule.runs.answers import check_output, write
    from chainrule.runs.predictions import in_folders, predict_run, run_and_pictures
    from chainrule.runs.rows import predict_table

    say = silence if quiet else note
    run, given = run_and_pictures(run, images or [], say=say)
    if format and not output:
        raise typer.BadParameter("give --output too", param_hint="--format")
    if output:
        check_output(output, format or "csv")
    if any(map(names_a_table, given)):
        if len(given) > 1 or index or show:
            raise typer.BadParameter("give one table, and nothing else", param_hint="FILE")
        rows = predict_table(run, given[0], say=say)
        if output:
            write(output, rows, format or "csv")
        print_rows(rows, output, as_json=json)
        return
    paths = in_folders(given, say=say)
    if not paths and not index:
        raise typer.BadParameter("give files, or --index", param_hint="FILE")
    if show and len(paths) + len(index or []) != 1:
        raise typer.BadParameter("give one image to draw", param_hint="--show")

    def told(found: Predictions) -> None:
        if output:
            write(output, found, format or "csv")
            say(f"written: {output}")
        if json:
            print_json(found.as_json())
        elif not output:
            _print(found, sure)
        for picture in found.pictures:
            for line in picture.notes:
                say(f"{picture.name}: {line}")
        for picture in found.failed:
            note(f"error: {picture.error}")

    found = predict_run(
        run, paths, index=index or [], show=show, sure=sure, offline=offline, say=say, told=told
    )
    if found.failed:
        raise typer.Exit(1)


def _print(found: Predictions, sure: float) -> None:
    for picture in found.pictures:
        if len(picture.detections) == 1:
            _print_one(picture.name, found.classes, picture.detections[0], sure)
        elif not picture.error:
            _print_several(picture.name, found.classes, picture.detections, sure)


def print_rows(found: RowPredictions, output: Path | None, *, as_json: bool) -> None:
    """Prints the predictions of rows, or what the file holds; each wrong row as an error.

    Raises typer.Exit(1) where a row is wrong.
    """
    if as_json:
        print_json(found.as_json())
    elif output:
        show(f"{output}: predictions for {len(found.lines):,} rows of {found.source}")
    else:
        each = zip(found.lines.tolist(), found.labels, found.probabilities.max(axis=1), strict=True)
        for line, label, probability in islice(each, MOST_SHOWN):
            show(f"row {line:,}: {label}  {_percent(float(probability))}")
        if len(found.lines) > MOST_SHOWN:
            show(f"and {len(found.lines) - MOST_SHOWN:,} more rows: --output FILE.csv has all")
    for line, reason in found.wrong[:MOST_SHOWN]:
        note(f"error: {found.source}, row {line:,}, {reason}")
    if len(found.wrong) > MOST_SHOWN:
        note(f"error: {len(found.wrong) - MOST_SHOWN:,} more rows cannot be read; --json has all")
    if found.wrong:
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

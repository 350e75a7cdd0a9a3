"""`chainrule predict`: which digits are on a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import (
    Json,
    Offline,
    Quiet,
    note,
    print_json,
    print_table,
    silence,
)

if TYPE_CHECKING:
    from chainrule.digits.preprocess import Digit
    from chainrule.nn.model_file import Model

BAR = 40
"""Characters for a probability of 1."""
SURE = 0.8
OTHERS = 2
"""Classes beside the first that a row of the table names."""


class Seen(NamedTuple):
    """One digit, and what the network says of it."""

    digit: Digit
    probabilities: list[float]

    @property
    def best(self) -> int:
        """The most probable class."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """The probability of that class."""
        return self.probabilities[self.best]


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
        list[int] | None, typer.Option(help="A test image, counted from 0; may be repeated.")
    ] = None,
    show: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Draw the picture with its digits, and what the network saw."
        ),
    ] = None,
    sure: Annotated[
        float, typer.Option(min=0, max=1, help="Not sure of a digit whose probability is less.")
    ] = SURE,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Read the digits on pictures, with the probability of each class.

    Every digit is brought into the form of MNIST first: ink found, scaled, centred by its mass.
    Several digits on one picture are read line by line.

    Example: chainrule predict mine photo.jpg --show seen.png
    """
    from chainrule.runs.folder import read_run

    say = silence if quiet else note
    run, paths = _run_and_pictures(run, images or [], say)
    if not paths and not index:
        raise typer.BadParameter("give image files, or --index", param_hint="IMAGE")
    if show and len(paths) + len(index or []) != 1:
        raise typer.BadParameter("give one image to draw", param_hint="--show")
    model, config = read_run(run)
    classes = model.labels
    found = [(str(path), _digits(model, classes, path)) for path in paths]
    if index:
        found += _test_images(model, config, index, offline=offline, say=say)
    pictures = [(name, [_seen(model, digit) for digit in digits]) for name, digits in found]
    if show:
        _draw(show, paths, *pictures[0], classes=classes, sure=sure)
    if json:
        print_json(
            {
                "predictions": [
                    _as_json(name, one, classes) for name, all_ in pictures for one in all_
                ]
            }
        )
        return
    for name, all_ in pictures:
        if len(all_) == 1:
            _print_one(name, classes, all_[0], sure)
        else:
            _print_several(name, classes, all_, sure)


def _run_and_pictures(run: str, images: list[Path], say: Any) -> tuple[str, list[Path]]:
    """(run, pictures): the newest run where no run is given, but a picture or nothing."""
    from chainrule.data.readers.images import SUFFIXES
    from chainrule.runs.folder import RUNS, newest_run

    is_picture = Path(run).suffix.lower() in SUFFIXES and not (RUNS / run).is_dir()
    if run and not is_picture:
        return run, images
    newest = newest_run()
    say(f"read by the newest run, {newest}")
    return newest, [Path(run), *images] if run else images


def _digits(model: Model, classes: tuple[str, ...], path: Path) -> list[Digit]:
    """What is on a picture as the model's network takes it: digits, or the picture as a whole."""
    from chainrule.core.errors import DataError
    from chainrule.data.dataset import DIGITS
    from chainrule.data.readers.images import read_picture
    from chainrule.digits.preprocess import read_photo, seen_by

    image = read_photo(path) if model.shape == (28, 28) else read_picture(path)
    try:
        return seen_by(image, model.shape, digits=classes == DIGITS)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _test_images(
    model: Model, config: dict[str, Any], index: list[int], *, offline: bool, say: Any
) -> list[tuple[str, list[Digit]]]:
    from chainrule.core.errors import ConfigError
    from chainrule.digits.preprocess import Digit
    from chainrule.runs.folder import data_of

    data = data_of(model, config, "", offline=offline, report=say)
    images = data.test.images
    for i in index:
        if not 0 <= i < len(images):
            raise ConfigError(
                f"--index {i}: there are {len(images):,} test images, give 0 to {len(images) - 1}"
            )
    return [
        (f"test image {i}", [Digit((0, 0, *data.shape), images[i].reshape(data.shape))])
        for i in index
    ]


def _seen(model: Model, digit: Digit) -> Seen:
    return Seen(digit, [float(p) for p in model.predict_proba(digit.pixels.reshape(1, -1))[0]])


def _as_json(name: str, seen: Seen, classes: tuple[str, ...]) -> dict[str, Any]:
    from chainrule.data.dataset import DIGITS

    return {
        "image": name,
        "digit": seen.best if classes == DIGITS else classes[seen.best],
        "probabilities": seen.probabilities,
        "box": seen.digit.box,
        "line": seen.digit.line,
    }


def _print_one(name: str, classes: tuple[str, ...], seen: Seen, sure: float) -> None:
    label = classes[seen.best]
    print(f"{name}: {label if seen.confidence >= sure else f'not sure, perhaps {label}'}")
    for number, (label, p) in enumerate(zip(classes, seen.probabilities, strict=True)):
        mark = "<-" if number == seen.best else ""
        print(f"  {label:>4}  {100 * p:6.2f} %  {'#' * round(BAR * p)} {mark}".rstrip())


def _print_several(name: str, classes: tuple[str, ...], found: list[Seen], sure: float) -> None:
    """The digits line by line, with a question mark for each that the network is not sure of."""
    lines: dict[int, str] = {}
    for seen in found:
        read = classes[seen.best] if seen.confidence >= sure else "?"
        lines[seen.digit.line] = lines.get(seen.digit.line, "") + read
    for number, text in lines.items():
        print(f"{name}{f', line {number + 1}' if len(lines) > 1 else ''}: {text}")
    rows = []
    for seen in found:
        row, column, height, width = seen.digit.box
        order = sorted(range(len(classes)), key=lambda k: -seen.probabilities[k])
        rest = ", ".join(
            f"{classes[k]} {_percent(seen.probabilities[k])}" for k in order[1:][:OTHERS]
        )
        rows.append(
            (
                classes[seen.best],
                _percent(seen.confidence) + ("" if seen.confidence >= sure else ", not sure"),
                rest,
                f"{width} x {height} at ({column}, {row})",
            )
        )
    print_table("each digit", ("digit", "probability", "else", "box (from the left, top)"), rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _draw(
    path: Path,
    photos: list[Path],
    name: str,
    found: list[Seen],
    *,
    classes: tuple[str, ...],
    sure: float,
) -> None:
    """Writes the picture of what was seen; ConfigError where that cannot be."""
    import numpy as np

    from chainrule import plots
    from chainrule.core.errors import ConfigError
    from chainrule.data.readers.images import grey
    from chainrule.digits.preprocess import read_photo

    if photos:
        photo = read_photo(photos[0])
        picture = np.asarray(photo) if photo.mode == "RGB" else grey(photo)
    else:
        picture = np.rint(255 * found[0].digit.pixels).astype(np.uint8)
    figure = plots.seen(
        picture,
        [seen.digit.box for seen in found],
        pixels=np.stack([seen.digit.pixels for seen in found]),
        labels=[classes[seen.best] for seen in found],
        confidence=[seen.confidence for seen in found],
        sure=sure,
        name=Path(name).name,
    )
    try:
        plots.save(figure, path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--show {path}: {getattr(error, 'strerror', None) or error}") from None

"""`chainrule predict`: which digit is on a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.console import Json, Offline, Quiet, note, print_json, silence

if TYPE_CHECKING:
    from chainrule.arrays import Array
    from chainrule.checkpoint import Model

BAR = 40
"""Characters for a probability of 1."""


def predict(
    run: Annotated[str, typer.Argument(help="A run's name, its folder, or a model file.")],
    images: Annotated[
        list[Path] | None, typer.Argument(help="PNG or JPEG files of any size.", metavar="IMAGE...")
    ] = None,
    index: Annotated[
        list[int] | None, typer.Option(help="A test image, counted from 0; may be repeated.")
    ] = None,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Predict the class of pictures, with the probability of each class.

    A picture is brought into the form of MNIST first: ink found, scaled, centred by its mass.

    Example: chainrule predict mine photo.jpg --index 7
    """
    from chainrule.cli.runs import read_run
    from chainrule.data.dataset import DIGITS

    if not images and not index:
        raise typer.BadParameter("give image files, or --index", param_hint="IMAGE")
    model, config = read_run(run)
    inputs = [(str(path), _pixels(model, path)) for path in images or []]
    if index:
        inputs += _test_images(
            model, config, index, offline=offline, say=silence if quiet else note
        )
    classes = model.classes or tuple(map(str, range(model.outputs)))
    predictions = []
    for name, pixels in inputs:
        probabilities = [float(p) for p in model.predict_proba(pixels.reshape(1, -1))[0]]
        best = max(range(len(classes)), key=probabilities.__getitem__)
        digit = best if classes == DIGITS else classes[best]
        predictions.append({"image": name, "digit": digit, "probabilities": probabilities})
        if not json:
            _show(name, classes, probabilities, best)
    if json:
        print_json({"predictions": predictions})


def _pixels(model: Model, path: Path) -> Array:
    """The picture as the model's network takes it, pixels in 0..1."""
    import numpy as np

    from chainrule.data.dataset import DataError
    from chainrule.data.digits import read_image
    from chainrule.data.pictures import grey, read_picture

    if model.shape == (28, 28):
        return read_image(path)
    picture = grey(read_picture(path))
    if picture.shape != model.shape:
        height, width = model.shape
        raise DataError(
            f"{path}: {picture.shape[1]} x {picture.shape[0]} pixels, the network takes "
            f"{width} x {height}; scale the picture"
        )
    return picture / np.float32(255)


def _test_images(
    model: Model, config: dict[str, Any], index: list[int], *, offline: bool, say: Any
) -> list[tuple[str, Array]]:
    from chainrule.cli.runs import data_of
    from chainrule.settings import ConfigError

    test = data_of(model, config, "", offline=offline, report=say).test
    for i in index:
        if not 0 <= i < len(test.labels):
            raise ConfigError(
                f"--index {i}: there are {len(test.labels):,} test images, "
                f"give 0 to {len(test.labels) - 1}"
            )
    return [(f"test image {i}", test.images[i]) for i in index]


def _show(name: str, classes: tuple[str, ...], probabilities: list[float], best: int) -> None:
    print(f"{name}: {classes[best]}")
    for number, (label, p) in enumerate(zip(classes, probabilities, strict=True)):
        mark = "<-" if number == best else ""
        print(f"  {label:>4}  {100 * p:6.2f} %  {'#' * round(BAR * p)} {mark}".rstrip())

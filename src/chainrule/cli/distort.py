"""`chainrule distort`: pictures of what training and what the corruptions make of digits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.console import (
    Classes,
    Json,
    Offline,
    Quiet,
    Source,
    names,
    note,
    print_json,
    silence,
)

if TYPE_CHECKING:
    from chainrule.experiments.settings import Settings

ORDER = 90
USUAL = "accurate"
"""Whose distortion is drawn when no recipe is asked for."""


def _option(help_text: str, metavar: str | None = None) -> Any:
    return typer.Option(help=help_text, metavar=metavar)


def distort(
    recipe: Annotated[
        str, _option("Whose distortion to draw; options win. [accurate]", "NAME")
    ] = "",
    rotation: Annotated[float | None, _option("Degrees, up to.")] = None,
    scaling: Annotated[float | None, _option("Share of height and of width, up to.")] = None,
    shear: Annotated[float | None, _option("Degrees that strokes lean, up to.")] = None,
    shift: Annotated[float | None, _option("Pixels along each axis, up to.")] = None,
    elastic: Annotated[float | None, _option("Strength of the bending, Simard's alpha.")] = None,
    elastic_sigma: Annotated[float | None, _option("Its smoothness, pixels.")] = None,
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Draw the corruptions of evaluate instead.")
    ] = False,
    output: Annotated[
        Path | None, _option("samples.png, or corruptions.png, unless given.", "FILE.png")
    ] = None,
    data: Source = "mnist",
    classes: Classes = "",
    seed: Annotated[int | None, _option("Decides which distortion each image gets.")] = None,
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw 64 training images beside their distorted copies, to see whether they stay legible.

    With --corruptions: two test images in each corruption and severity, the copies that
    `evaluate --corrupted` measures on.

    Example: chainrule distort --rotation 30 --output samples.png
    """
    import numpy as np

    from chainrule.core.errors import ConfigError
    from chainrule.experiments.job import distortion_of
    from chainrule.plots.distortions import check_output, draw_corruptions, draw_distorted
    from chainrule.runs.origin import Origin, load_data

    given = {
        "rotation": rotation,
        "scaling": scaling,
        "shear": shear,
        "shift": shift,
        "elastic": elastic,
        "elastic_sigma": elastic_sigma,
        "seed": seed,
    }
    asked_for = {name: value for name, value in given.items() if value is not None}
    if corruptions and (recipe or asked_for):
        raise ConfigError(
            "--corruptions draws the copies that evaluate --corrupted measures on, and these do "
            "not change: leave out --recipe, --seed and the amounts"
        )
    settings = None if corruptions else _settings(recipe or USUAL, asked_for)
    path = output or Path("samples.png" if settings else "corruptions.png")
    check_output(path)
    origin = Origin(data, classes=names(classes))
    dataset = load_data(origin, offline=offline, report=silence if quiet else note)
    if settings:
        rng = np.random.default_rng(settings.seed)
        drawn = draw_distorted(dataset, distortion_of(settings), path, rng=rng)
    else:
        drawn = draw_corruptions(dataset, path)
    if json:
        print_json(drawn.as_json())
    else:
        print(drawn.path)


def _settings(recipe: str, asked_for: dict[str, Any]) -> Settings:
    """The settings of recipe and options; ConfigError where they do not distort images."""
    from chainrule.core.errors import ConfigError
    from chainrule.experiments.job import distortion_of
    from chainrule.experiments.recipes import combine

    settings, _ = combine(recipe, flags=asked_for)
    if not distortion_of(settings):
        raise ConfigError(
            f"recipe {recipe!r} with these options does not distort images; give an amount, such "
            "as --rotation 12"
        )
    return settings

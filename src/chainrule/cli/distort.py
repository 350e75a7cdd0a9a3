"""`chainrule distort`: sample sheets of training's distortions, or of the corruptions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.completion import completer, recipes
from chainrule.cli.console import (
    Classes,
    Json,
    Offline,
    Quiet,
    Source,
    names,
    note,
    print_json,
    show,
    silence,
)
from chainrule.cli.options import given, with_settings
from chainrule.experiments.settings import RULES

if TYPE_CHECKING:
    from chainrule.experiments.settings import Settings

ORDER = 90
USUAL = "accurate"
"""Default recipe, whose distortion is drawn."""
DISTORTION = [name for name, rule in RULES.items() if rule.group == "distortion"]


@with_settings(*DISTORTION, "seed", usual=USUAL)
def distort(
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Recipe of the distortion; options override it: {{recipe}}. [default: {USUAL}]",
            autocompletion=completer(recipes),
        ),
    ] = "",
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Draw the corruptions of evaluate instead.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Picture to write. [default: samples.png, or corruptions.png]"
        ),
    ] = None,
    data: Source = "mnist",
    classes: Classes = "",
    offline: Offline = False,
    quiet: Quiet = False,
    json: Json = False,
    **settings: Any,
) -> None:
    """Draw 64 training images beside their distorted copies, to see whether they stay legible.

    With --corruptions: two test images in each corruption and severity, the copies that
    `evaluate --corrupted` measures on.

    Example: chainrule distort --rotation 30 --output samples.png
    """
    import numpy as np

    from chainrule.core.errors import ConfigError
    from chainrule.core.places import check_file
    from chainrule.experiments.job import distortion_of
    from chainrule.plots.distortions import draw_corruptions, draw_distorted
    from chainrule.runs.files import saving
    from chainrule.runs.origin import Origin, load_data

    asked_for = given(settings)
    if corruptions and (recipe or asked_for):
        raise ConfigError(
            "--corruptions draws the copies that evaluate --corrupted measures on, which are "
            "fixed: leave out --recipe, --seed and the amounts"
        )
    chosen = None if corruptions else _settings(recipe or USUAL, asked_for)
    path = output or Path("samples.png" if chosen else "corruptions.png")
    check_file(path, ".png", option="--output")
    origin = Origin(data, classes=names(classes))
    dataset = load_data(origin, offline=offline, report=silence if quiet else note)
    dataset.check_images("distort")
    with saving(path, "the picture", remedy="then draw it again"):
        if chosen:
            rng = np.random.default_rng(chosen.seed)
            drawn = draw_distorted(dataset, distortion_of(chosen), path, rng=rng)
        else:
            drawn = draw_corruptions(dataset, path)
    if json:
        print_json(drawn.as_json())
    else:
        show(str(drawn.path))


def _settings(recipe: str, asked_for: dict[str, Any]) -> Settings:
    """Settings from recipe and options; ConfigError where they do not distort images."""
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

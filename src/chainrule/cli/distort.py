"""`chainrule distort`: pictures of what training and what the corruptions make of digits."""

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
    silence,
)
from chainrule.cli.options import given, with_settings
from chainrule.experiments.settings import RULES

if TYPE_CHECKING:
    from chainrule.data.augment import Distortion
    from chainrule.data.dataset import Dataset
    from chainrule.experiments.settings import Settings

SHOWN = 64
"""Training images that are drawn, eight by eight."""
USUAL = "accurate"
"""Whose distortion is drawn when no recipe is asked for."""
DISTORTION = [name for name, rule in RULES.items() if rule.group == "distortion"]


@with_settings(*DISTORTION, "seed", usual=USUAL)
def distort(
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Whose distortion to draw; options win: {{recipe}}. [default: {USUAL}]",
            autocompletion=completer(recipes),
        ),
    ] = "",
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Draw the corruptions of evaluate instead.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="samples.png, or corruptions.png, unless given."),
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
    from dataclasses import asdict

    from chainrule.core.errors import ConfigError
    from chainrule.experiments.job import distortion_of
    from chainrule.runs.folder import Origin, load_data

    asked_for = given(settings)
    if corruptions and (recipe or asked_for):
        raise ConfigError(
            "--corruptions draws the copies that evaluate --corrupted measures on, and these do "
            "not change: leave out --recipe, --seed and the amounts"
        )
    chosen = None if corruptions else _settings(recipe or USUAL, asked_for)
    path = output or Path("samples.png" if chosen else "corruptions.png")
    _check(path)
    origin = Origin(data, classes=names(classes))
    dataset = load_data(origin, offline=offline, report=silence if quiet else note)
    if chosen:
        _draw_samples(dataset, chosen, path)
    else:
        _draw_corruptions(dataset, path)
    if json:
        distortion = asdict(distortion_of(chosen)) if chosen else None
        print_json({"picture": str(path), "distortion": distortion})
    else:
        print(path)


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


def _draw_samples(dataset: Dataset, settings: Settings, path: Path) -> None:
    import numpy as np

    from chainrule import plots
    from chainrule.data.augment import Distorter
    from chainrule.experiments.job import distortion_of
    from chainrule.plots.grids import distorted

    images, distortion = dataset.train.images[:SHOWN], distortion_of(settings)
    copies = Distorter(dataset.shape, distortion)(
        images, np.random.default_rng(settings.seed), np.empty_like(images)
    )
    figure = distorted(images, copies, shape=dataset.shape, remark=_words(distortion))
    plots.save(figure, path)


def _words(distortion: Distortion) -> str:
    """The amounts that are not 0, in one line."""
    d = distortion
    limits = [
        (d.rotation, f"rotation {d.rotation:g} degrees"),
        (d.scaling, f"scaling {100 * d.scaling:g} %"),
        (d.shear, f"shear {d.shear:g} degrees"),
        (d.shift, f"shift {d.shift:g} {'pixel' if d.shift == 1 else 'pixels'}"),
    ]
    limited = ", ".join(words for limit, words in limits if limit)
    parts = [f"at most {limited}"] if limited else []
    if d.elastic:
        parts.append(f"elastic field of alpha {d.elastic:g}, sigma {d.elastic_sigma:g}")
    line = "; ".join(parts)
    return f"{line[0].upper()}{line[1:]}."


def _draw_corruptions(dataset: Dataset, path: Path) -> None:
    import numpy as np

    from chainrule import plots
    from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
    from chainrule.evaluation.robustness import copies
    from chainrule.plots.grids import corrupted

    images, shape = dataset.test.images[:2], dataset.shape
    figure = corrupted(
        images,
        {
            name: np.stack([copies(images, shape, name, s) for s in SEVERITIES], axis=1)
            for name in CORRUPTIONS
        },
        shape=shape,
        remarks={name: corruption.span() for name, corruption in CORRUPTIONS.items()},
    )
    plots.save(figure, path)


def _check(path: Path) -> None:
    """Raises ConfigError for a file that `save` would refuse, before any work is done."""
    from chainrule.core.errors import ConfigError

    if path.suffix.lower() != ".png":
        raise ConfigError(f"--output {path}: give it a name ending in .png")
    if not path.parent.is_dir():
        raise ConfigError(f"--output {path}: create the folder {path.parent} first")

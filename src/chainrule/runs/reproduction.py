"""Reproduction of an article: its claims, settled one by one, in a run folder.

The folder is that of the article's longest training: config.toml, history.jsonl, curves.png and
model.safetensors are its own. report.json has the claims settled so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.articles.ablations import Worth, ablation_of, worth_of
from chainrule.articles.article import Article
from chainrule.articles.claims import OUTSIDE, Claim
from chainrule.articles.running import Effort, Hear, Recorder, StopAskedError, Training, deaf
from chainrule.core.files import write_atomically
from chainrule.data.dataset import Dataset
from chainrule.digits.form import measure
from chainrule.evaluation.assessment import assess
from chainrule.experiments.recipes import RECIPES
from chainrule.nn.model_file import Model, save
from chainrule.plots.learning_curves import curves
from chainrule.plots.style import save as save_figure
from chainrule.runs.files import (
    as_config,
    begin,
    saving,
    write_config,
    write_history,
    write_report,
)
from chainrule.runs.folder import claim_folder
from chainrule.runs.lock import only_writer
from chainrule.runs.origin import Origin
from chainrule.runs.pictures import untold
from chainrule.runs.replay import replay_of
from chainrule.training.train import Epoch, never
from chainrule.web.bundle import self_contained

PAGE = "report.html"


@dataclass
class Reproduction:
    """Reproduction: an article's claims as far as they are settled."""

    article: Article
    folder: Path
    ending: str = "unfinished"
    """unfinished, finished, interrupted, or failed."""
    claims: list[Claim] = field(default_factory=list)
    worth: Worth | None = None

    @property
    def ok(self) -> bool:
        """True if finished with no claim outside."""
        judged = bool(self.claims) and all(one.verdict != OUTSIDE for one in self.claims)
        return judged and self.ending == "finished"

    def as_json(self) -> dict[str, Any]:
        """For JSON."""
        result: dict[str, Any] = {
            "recipe": self.article.recipe,
            "claims": [asdict(claim) for claim in self.claims],
            "ok": self.ok,
            "ending": self.ending,
            "run": str(self.folder),
            "breaks": [{"command": c, "see": see} for c, see in self.article.commands()],
        }
        return result | ({"fix": asdict(self.worth)} if self.worth else {})


def ignore(_claim: Claim) -> None:
    """Default listener: ignores everything."""


def reproduce(
    article: Article,
    data: Dataset,
    effort: Effort,
    *,
    origin: Origin,
    fix: str = "",
    hear: Hear = deaf,
    settled: Callable[[Claim], None] = ignore,
    stop: Callable[[], bool] = never,
    told: Callable[[Reproduction], None] = untold,
) -> Reproduction:
    """Settles the article's claims, and runs the ablation `fix`, if given.

    `stop` is called before each step. However it ends, the folder runs/NAME-reproduced-N holds the
    claims settled so far; unless it fails, `told` hears the result before the curve is drawn.
    Raises ConfigError for a mistake that the article does not make.
    """
    if fix:
        ablation_of(article, fix)
    recorder = Recorder(hear, stop=stop)
    config = as_config(RECIPES[article.recipe], data, recipe=article.recipe, origin=origin)
    folder = claim_folder("", otherwise=f"{article.recipe}-reproduced")
    result = Reproduction(article, folder)
    saved = partial(saving, folder, remedy="then reproduce it again")
    with only_writer(folder, new=True):
        begin(folder, config, remedy="then reproduce it again")
        with saved("its claims"):
            write_report(folder, result.as_json())
        try:
            for claim in article.claims(data, effort, recorder):
                result.claims.append(claim)
                with saved("a claim"):
                    write_report(folder, result.as_json())
                settled(claim)
            if fix:
                result.worth = worth_of(article, fix, data, effort, recorder)
            result.ending = "finished"
        except StopAskedError:
            result.ending = "interrupted"
        except Exception as error:
            result.ending = "failed"
            count = len(result.claims)
            error.add_note(f"{folder} holds the {count} claim{'s' * (count != 1)} settled before")
            raise
        finally:
            with saved("its end"):
                history, of = _write(result, recorder.trainings, data, origin)
            if result.ending != "failed":
                told(result)
            with saved("its curve (the claims, the model and the page are there)"):
                save_figure(curves(history, of=of), folder / "curves.png")
                _write_page(result)
    return result


def _write(
    result: Reproduction, trainings: list[Training], data: Dataset, origin: Origin
) -> tuple[list[Epoch], str]:
    """Completes the folder: the longest training's figures, its model, the page without the curve.

    Returns that training's history, and in words whose it is.
    """
    folder, recipe = result.folder, result.article.recipe
    trained = [training for training in trainings if training.history]
    report = result.as_json() | {"trainings": [_in_short(training) for training in trained]}
    shown = max(trained, key=lambda one: _seen(one, data), default=None)
    history = shown.history if shown else []
    if shown:
        write_config(folder, as_config(shown.settings, data, recipe=recipe, origin=origin))
        report |= _figures(shown, recipe, data, folder)
    write_history(folder, history)
    of = f"{shown.name}, seed {shown.settings.seed}." if shown else ""
    write_report(folder, report)
    _write_page(result)
    return history, of


def _write_page(result: Reproduction) -> None:
    content = replay_of(result.folder)
    claims = {
        one.claim: f"{one.published} | {one.measured} | {one.verdict}" for one in result.claims
    }
    content["config"] = {"published | measured | verdict": claims} | content["config"]
    write_atomically(result.folder / PAGE, self_contained("live.html", content).encode())


def _seen(training: Training, data: Dataset) -> int:
    return len(training.history) * (training.settings.examples or len(data.train.labels))


def _in_short(training: Training) -> dict[str, Any]:
    return {
        "name": training.name,
        "seed": training.settings.seed,
        "epochs": len(training.history),
        "loss": training.history[-1].loss,
        "train_seconds": round(sum(epoch.seconds for epoch in training.history), 3),
    }


def _figures(training: Training, recipe: str, data: Dataset, folder: Path) -> dict[str, Any]:
    """Figures of a run, as `chainrule train` writes them; saves the model beside them."""
    settings, network = training.settings, training.network
    model = Model(
        network.folded(),
        classes=data.classes,
        shape=data.shape,
        pixel_scale=255 / settings.pixel_divisor,
        summary={"recipe": recipe, "seed": settings.seed, "epochs": len(training.history)},
        preprocessing=measure(data.train.images, data.shape, white=data.white),
    )
    save(model, folder / "model.safetensors")
    with np.errstate(over="ignore", invalid="ignore"):
        found = assess(model, *data.test)
    return {
        "seed": settings.seed,
        "test_accuracy": found.accuracy,
        "test_error": found.errors / len(found.labels),
        "test_images": len(found.labels),
        "beats_guessing": found.beats_guessing,
        "train_seconds": round(sum(epoch.seconds for epoch in training.history), 3),
        "epochs": len(training.history),
        "parameters": network.parameter_count,
        "interval": found.interval,
        "errors": found.errors,
        **found.details(),
    }

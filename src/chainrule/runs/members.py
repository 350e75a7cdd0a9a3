"""Ensemble members: the state of each run, their compatibility, and one model of them.

A member is an ordinary run. The ensemble has a folder like a run's, so that `evaluate` and
`predict` accept it; its config.toml has a table [committee] besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError, DataError, ModelFileError, NewerFormatError
from chainrule.core.files import is_file
from chainrule.experiments.settings import Settings, read_toml
from chainrule.nn.committee import Committee
from chainrule.nn.model_file import Model, load_model
from chainrule.runs import folder as runs
from chainrule.runs.files import read_report
from chainrule.runs.values import believed, read_config

OWN = ("seed", "threads")
"""Settings in which members of one recipe may differ."""
NEEDED = ("recipe", "seed", "errors", "test_error", "train_seconds", "epochs")
"""Figures that an ensemble takes from its members' report.json."""


@dataclass(frozen=True)
class Member:
    """Ensemble member: a finished run."""

    run: str
    model: Model
    config: dict[str, Any]
    report: dict[str, Any]


def is_finished(folder: Path) -> bool:
    """True if the run is finished: its report, written last, says so."""
    return is_file(folder / "model.safetensors") and _report(folder)["ending"] == "finished"


def is_begun(folder: Path) -> bool:
    """True if there is a run to resume: a folder with a configuration."""
    return is_file(folder / "config.toml")


def differing(found: Mapping[str, Any], wanted: Settings) -> list[str]:
    """Settings in a run's config.toml that differ from the wanted ones, in words.

    A setting missing in the run has its default; seed and threads do not count, nor how examples
    are chosen where all are used.
    """
    free = OWN if wanted.validation or wanted.examples else (*OWN, "split")
    standard = asdict(Settings())
    found, wished = _plain(standard | dict(found)), _plain(asdict(wanted))
    return [
        f"{name} {found[name]!r} there, {value!r} wanted"
        for name, value in wished.items()
        if found[name] != value and name not in free
    ]


def check_begun(run: str, folder: Path, wanted: Settings, checksums: dict[str, str]) -> None:
    """Raises ConfigError or DataError if the run was begun with other settings or data."""
    config, found = _configuration(folder)
    if config.get("checksums") != checksums:
        raise DataError(
            f"run {run!r} was begun with other data, the checksums differ; give the committee "
            "another name"
        )
    differences = differing(found, wanted)
    if found.get("seed") != wanted.seed:
        differences.append(f"seed {found.get('seed')!r} there, {wanted.seed} wanted")
    if differences:
        raise ConfigError(
            f"run {run!r} differs: {', '.join(differences)}; give the committee another name"
        )


def read_member(run: str) -> Member:
    """Member from a finished run, by its name or its folder.

    Raises ConfigError where it is not finished or is an ensemble itself, ModelFileError.
    """
    path = runs.find(run)
    folder = path.parent
    if not is_begun(folder):
        raise ConfigError(f"{run}: a model file alone; a member is a run, with its config.toml")
    (config, settings), model = _configuration(folder), load_model(path)
    if isinstance(model.network, Committee):
        raise ConfigError(f"{run!r} is a committee itself: give its members")
    if not is_finished(folder):
        raise ConfigError(f"run {run!r} is not finished: chainrule train --resume {folder.name}")
    return Member(run, model, config | {"settings": settings}, _report(folder))


def together(members: Sequence[Member]) -> Model:
    """Ensemble model of these runs.

    Raises ConfigError for a repeated run, DataError for data other than the first's,
    ModelFileError where the networks do not match.
    """
    first = members[0]
    for number, member in enumerate(members[1:], 1):
        twins = [one.run for one in members[:number] if _same_weights(one.model, member.model)]
        if twins:
            raise ConfigError(f"{member.run} has the weights of {twins[0]}: give each run once")
        if member.config.get("checksums") != first.config.get("checksums"):
            raise DataError(
                f"{member.run} was trained with other data than {first.run}, the checksums differ; "
                "a committee's members learned from the same images"
            )
        for name in ("classes", "shape", "pixel_scale", "schema"):
            one, other = getattr(first.model, name), getattr(member.model, name)
            if one != other:
                raise ModelFileError(
                    f"{member.run} has {name} {other}, {first.run} {one}: members must agree"
                )
    networks = tuple(network for member in members for network in member.model.members)
    try:
        committee = Committee(networks)
    except ValueError as error:
        raise ModelFileError(f"{', '.join(m.run for m in members)}: {error}") from None
    summary = {
        "recipe": recipe_of(members),
        "members": [member.run for member in members],
        "seeds": [member.report["seed"] for member in members],
    }
    return replace(first.model, network=committee, summary=summary)


def recipe_of(members: Sequence[Member]) -> str:
    """Recipe of an ensemble, `committee of record`; all recipes, where there are several."""
    recipes = dict.fromkeys(str(member.report["recipe"]) for member in members)
    return f"committee of {', '.join(recipes)}"


def shared_settings(members: Sequence[Member]) -> dict[str, Any]:
    """Settings that all members share; an empty split where they chose examples differently."""
    first, *others = (member.config["settings"] for member in members)
    return {"split": ""} | {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }


def _configuration(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config.toml, its settings) of a run; ConfigError where they are malformed."""
    path = folder / "config.toml"
    config = read_config(path)
    return config, read_toml(path) if "settings" in config else {}


def _same_weights(one: Model, other: Model) -> bool:
    a, b = one.members[0], other.members[0]
    return a.layers == b.layers and a.state.tobytes() == b.state.tobytes()


def _report(folder: Path) -> dict[str, Any]:
    """Figures of a run's report.json; without one, or its end, a report that it is unfinished.

    Raises DataError where it is damaged, or what an ensemble needs of it cannot be right.
    """
    path = folder / "report.json"
    try:
        report = read_report(folder)
    except FileNotFoundError:
        return {"ending": "none"}
    except NewerFormatError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from None
    good, said = believed(report)
    if "ending" not in report:
        return {"ending": "none"}
    if missing := [name for name in ("ending", *NEEDED) if name not in good]:
        raise DataError(
            f"{path}: {'; '.join(said[:3]) or f'it has no {missing[0]}'}; train it again"
        )
    return {name: good[name] for name in ("ending", *NEEDED)}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with lists for tuples, as read from a file."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }

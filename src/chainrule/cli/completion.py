"""Shell completion, and the lists of names in `--help`: both read the tables on demand.

`chainrule --install-completion` sets it up. Names in tables beside NumPy code import NumPy, about
0.2 s; recipes, data sets and runs do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from chainrule.experiments.settings import RULES
from chainrule.training.options import Choices


def recipes() -> Iterable[str]:
    """Names of the recipes."""
    from chainrule.experiments.recipes import RECIPES

    return RECIPES


def articles() -> Iterable[str]:
    """Names of the articles."""
    from chainrule.articles import ARTICLES

    return ARTICLES


def data_sets() -> Iterable[str]:
    """Names of the data sets that can be downloaded."""
    from chainrule.data.catalog import SOURCES

    return SOURCES


def runs() -> Iterable[str]:
    """Names of the runs under runs/."""
    from chainrule.runs.folder import RUNS

    return sorted(path.parent.name for path in RUNS.glob("*/config.toml"))


NAMES: dict[str, Choices] = {"recipe": recipes, "article": articles, "data": data_sets} | {
    name: rule.choices for name, rule in RULES.items() if rule.choices
}
"""Choices that `{name}` in a help text stands for."""


def filled(text: str) -> str:
    """Help text with each `{name}` replaced by its choices."""
    return re.sub(r"\{(\w+)\}", lambda match: ", ".join(filter(None, NAMES[match[1]]())), text)


def completer(names: Choices, *, listed: bool = False) -> Callable[[str], list[str]]:
    """Completion of one name, or if `listed` of the last one in a comma-separated list."""

    def complete(incomplete: str) -> list[str]:
        before, comma, word = incomplete.rpartition(",") if listed else ("", "", incomplete)
        return [f"{before}{comma}{name}" for name in names() if name and name.startswith(word)]

    return complete

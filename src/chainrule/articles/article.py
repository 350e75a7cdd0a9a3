"""An article: its recipe, its claims, its ablations, and three ways to break its network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.articles.claims import Claim
from chainrule.articles.running import Effort, Recorder
from chainrule.data.dataset import Dataset


@dataclass(frozen=True)
class Ablation:
    """One of an article's mistakes, corrected."""

    mistake: str
    changes: dict[str, Any]
    """Settings that put it right."""


@dataclass(frozen=True)
class Break:
    """Options of `chainrule train` that break an article's network on purpose."""

    options: str
    see: str
    """What one will see, and why."""
    at_most: float = 0.0
    """Accuracy on test in percent that it does not pass; 0: the run diverges, exit code 1."""


@dataclass(frozen=True)
class Article:
    """An article: each module of this package that describes one has its ARTICLE."""

    number: int
    recipe: str
    """Its name here, and that of its recipe."""
    title: str
    claims: Callable[[Dataset, Effort, Recorder], Iterator[Claim]]
    """Yields each claim as it is settled."""
    ablations: Mapping[str, Ablation]
    breaks: tuple[Break, ...]
    seeds: int = 1
    """Runs where the article gives no seed."""

    def commands(self) -> list[tuple[str, str]]:
        """(a command that breaks its network, what one will see) of each break."""
        train = f"chainrule train --recipe {self.recipe}"
        return [(f"{train} {one.options}", one.see) for one in self.breaks]

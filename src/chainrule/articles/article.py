"""Article: its recipe, its claims, its ablations, and three ways to break its network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.articles.claims import Claim
from chainrule.articles.running import Effort, Recorder
from chainrule.data.dataset import Dataset


@dataclass(frozen=True)
class Ablation:
    """Ablation: one of an article's mistakes, corrected."""

    mistake: str
    changes: dict[str, Any]
    """Settings that correct it."""


@dataclass(frozen=True)
class Break:
    """Options of `chainrule train` that break an article's network on purpose."""

    options: str
    see: str
    """Expected symptom, and its cause."""
    at_most: float = 0.0
    """Upper bound of the test accuracy in percent; 0: the run diverges, exit code 1."""


@dataclass(frozen=True)
class Article:
    """Article: each module of this package that describes one defines it as ARTICLE."""

    number: int
    recipe: str
    """Its name, and that of its recipe."""
    title: str
    claims: Callable[[Dataset, Effort, Recorder], Iterator[Claim]]
    """Generator of the claims, each as it is settled."""
    ablations: Mapping[str, Ablation]
    breaks: tuple[Break, ...]
    seeds: int = 1
    """Runs where the article gives no seed."""

    def commands(self) -> list[tuple[str, str]]:
        """(command that breaks its network, expected symptom) of each break."""
        train = f"chainrule train --recipe {self.recipe}"
        return [(f"{train} {one.options}", one.see) for one in self.breaks]

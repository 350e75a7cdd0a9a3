"""Summaries of data: the figures of one data set, and the inventory of this disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.data.caches import cache_folder
from chainrule.data.catalog import SOURCES
from chainrule.data.dataset import Dataset
from chainrule.data.load import Row, inventory


@dataclass(frozen=True)
class Inventory:
    """Inventory of the named data sets on this disk, each verified by its checksums."""

    cache: Path
    rows: list[Row]

    @property
    def missing(self) -> list[str]:
        """Names of SOURCES that are not on this disk."""
        return [name for name in SOURCES if name not in {row.name for row in self.rows}]

    def as_json(self) -> dict[str, Any]:
        """The cache, the known names and the data found, for JSON."""
        found = [
            {"name": row.name, "place": row.tool, "path": str(row.path), "verified": row.verified,
             "checksums": row.checksums, "note": row.note}
            for row in self.rows
        ]  # fmt: skip
        return {"cache": str(self.cache), "names": list(SOURCES), "found": found}


@dataclass(frozen=True)
class Summary:
    """Summary of one data set in figures."""

    dataset: Dataset

    def as_json(self) -> dict[str, Any]:
        """Name, source, sizes, classes and checksums, for JSON."""
        data = self.dataset
        return {
            "name": data.name,
            "source": data.source,
            "train": len(data.train.labels),
            "test": len(data.test.labels),
            "shape": list(data.shape),
            "classes": list(data.classes),
            "white": data.white,
            "notes": list(data.notes),
            "checksums": data.checksums,
        }


def take_inventory() -> Inventory:
    """Takes the inventory of our cache and those of other tools."""
    return Inventory(cache_folder(), inventory())

"""Corpus of the hostile files that the tests read: python -m stress.fuzz.corpus stress/corpus"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from stress.fuzz.hostile_data import Hostile, gzips, idx, npz, tables
from stress.fuzz.hostile_models import configs, models, snapshots
from stress.fuzz.hostile_pickles import pickles
from stress.fuzz.hostile_pictures import pictures

FOLDERS: dict[str, Callable[[], Hostile]] = {
    "idx": idx,
    "gzip": gzips,
    "npz": npz,
    "pickle": pickles,
    "csv": tables,
    "picture": pictures,
    "model": models,
    "snapshot": snapshots,
    "config": configs,
}


def write(folder: Path) -> int:
    """Writes all of them, a folder for each reader; returns how many there are."""
    count = 0
    for name, make in FOLDERS.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for file, (content, _) in make().items():
            (place / file).write_bytes(content)
            count += 1
    return count


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]))} hostile files")

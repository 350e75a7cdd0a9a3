"""Sizes test: one file of each kind at its size cap, and one just above: python -m stress.sizes

Each is read in a process of its own, and takes at most twice the file in memory (what it is
unpacked, if it is packed), and at most 10 seconds of the processor where that is promised. One byte
more than the cap is refused, before the file is in memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from chainrule.data.readers.archives import MIB
from stress.sizes.files import MAKERS
from stress.sizes.measure import READERS
from stress.table import Row, at_most, run

SECONDS = 10.0
TIMES = 2.0
SPARE = 48 * MIB
"""Memory that does not grow with the file: blocks, libraries loaded on the way."""
SHORT = 8 * MIB
SLOW = ("csv", "csv of fractions", "csv of savetxt", "gzip", "model")
"""Kinds whose time at the cap, 1 or 2 GiB, is a figure without a promise: text is parsed, and the
weights of a model are turned round."""
WIDE = ("picture",)
"""Kinds whose memory is without a promise: a picture is unpacked, turned upright and made grey."""


def cost(kind: str, path: Path) -> dict[str, float | str]:
    """What `measure` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "stress.sizes.measure", kind, str(path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{kind}: {done.stderr[-1000:]}")
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


def at_cap(kind: str, folder: Path, short: bool) -> Iterator[Row]:
    """Rows of the largest file of this kind that is read; in short of a few MiB."""
    name, make = MAKERS[kind]
    cap = READERS[kind][1]
    path = folder / name
    size = make(path, min(cap, SHORT) if short else cap)
    found = cost(kind, path)
    what = f"{kind}, {size / MIB:,.0f} MiB"
    if found["error"]:
        yield Row(what, str(found["error"]), "is read", held=False)
        return
    seconds = at_most(what, float(found["cpu"]), SECONDS, "s")
    yield Row(what, seconds.figure) if kind in SLOW and not short else seconds
    times = max(float(found["memory"]) - SPARE, 0) / size
    more = f" ({float(found['memory']) / MIB:,.0f} MiB)"
    memory = at_most(what, times, TIMES, "times in memory", more)
    yield Row(what, memory.figure) if kind in WIDE else memory


def above_cap(kind: str, folder: Path) -> Row:
    """Row of a file one byte above the cap: only its size is real, no block of it."""
    name, make = MAKERS[kind]
    cap = READERS[kind][1]
    path = folder / name
    make(path, SHORT)
    with path.open("r+b") as file:
        file.truncate(cap + 1)
    found = cost(kind, path)
    what = f"{kind}, a byte above {cap / MIB:,.0f} MiB"
    refused = "at most" in str(found["error"]) or "larger than" in str(found["error"])
    held = refused and float(found["memory"]) <= SPARE
    figure = f"{float(found['memory']) / MIB:,.0f} MiB" if refused else str(found["error"])[-80:]
    return Row(what, figure, "refused unread", held)


def measured(kinds: Sequence[str], short: bool) -> Iterator[Row]:
    """Rows of these kinds, each in a folder of its own."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as place:
            yield from at_cap(kind, Path(place), short)
        with tempfile.TemporaryDirectory() as place:
            yield above_cap(kind, Path(place))


def rows(short: bool) -> Iterator[Row]:
    """One file of each kind at its size cap, and one just above."""
    yield from measured([*MAKERS], short)


def main(arguments: Sequence[str]) -> int:
    """The table of all kinds, or of those that are named first."""
    kinds = [argument for argument in arguments if not argument.startswith("-")]
    return run(lambda short: measured(kinds or [*MAKERS], short), "sizes", arguments[len(kinds) :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What reading one file costs, in a process of its own: python -m stress.sizes.measure KIND FILE

Prints {"cpu": seconds, "memory": bytes above what the process had before, "error": words} as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chainrule.core.errors import DataError, ModelFileError
from chainrule.core.tensor_file import LARGEST_FILE as LARGEST_SEALED
from chainrule.data.readers.formats import LARGEST_FILE, LARGEST_NPZ, LARGEST_PICKLE, read
from chainrule.data.readers.idx import LARGEST_IDX
from chainrule.data.readers.images import LARGEST_PICTURE, MOST_PNG_PIXELS, grey, read_picture
from chainrule.nn.model_file import load_model
from chainrule.training.checkpoint import read_checkpoint


def picture(path: Path) -> object:
    """A photo, as `predict` reads it."""
    return grey(read_picture(path, pixels=MOST_PNG_PIXELS))


READERS: dict[str, tuple[Callable[[Path], object], int]] = {
    "csv": (read, LARGEST_FILE),
    "csv of fractions": (read, LARGEST_FILE),
    "csv of savetxt": (read, LARGEST_FILE),
    "gzip": (read, LARGEST_FILE),
    "npz": (read, LARGEST_NPZ),
    "npz of fractions": (read, LARGEST_NPZ),
    "pickle": (read, LARGEST_PICKLE),
    "idx": (read, LARGEST_IDX),
    "picture": (picture, LARGEST_PICTURE),
    "model": (load_model, LARGEST_SEALED),
    "checkpoint": (read_checkpoint, LARGEST_SEALED),
}
"""Kind of file -> (what reads it, the most bytes that are read)."""


def memory(field: str) -> int:
    """Bytes of this process: VmRSS, those in memory now, or VmHWM, the most there ever were."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(re.search(rf"^{field}:\s*([0-9]+) kB$", text, re.MULTILINE)[1]) * 1024


def main(arguments: Sequence[str]) -> None:
    """Reads the file and prints what that took."""
    kind, path = arguments
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the most is what there is now
    error, before, began = "", memory("VmRSS"), time.process_time()
    try:
        READERS[kind][0](Path(path))
    except (DataError, ModelFileError) as refusal:
        error = str(refusal)
    cost = {"cpu": time.process_time() - began, "memory": memory("VmHWM") - before, "error": error}
    print(json.dumps(cost))


if __name__ == "__main__":
    main(sys.argv[1:])

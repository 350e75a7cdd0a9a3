"""One command whose memory ends at a point: python -m stress.allocations.limited MIB AT COMMAND

The command runs once without a limit, in the folder warm/, so that every library is loaded. Then it
runs where it is called, and from the first call of AT, `module:function`, the process may have so
many MiB more than it has.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import shutil
import sys
from collections.abc import Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from chainrule.cli import main as chainrule
from stress.allocations.place import AGAIN


def limit(mebibytes: float) -> None:
    """The process may have so much more than it has now."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    size = pages * resource.getpagesize() + int(mebibytes * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def limit_at(place: str, mebibytes: float) -> None:
    """The same from the first call of this function on."""
    module, _, name = place.partition(":")
    home = import_module(module)
    function = getattr(home, name)

    def limited(*arguments: Any, **options: Any) -> Any:
        setattr(home, name, function)
        limit(mebibytes)
        return function(*arguments, **options)

    setattr(home, name, limited)


def main(arguments: Sequence[str]) -> None:
    """Runs the command twice; ends with the exit code of the second time."""
    mebibytes, place, *command = arguments
    sys.argv = ["chainrule", *command]
    with open("/dev/null", "w") as nothing, chdir("warm"):
        with redirect_stdout(nothing), redirect_stderr(nothing), suppress(SystemExit):
            chainrule()
        shutil.rmtree(AGAIN, ignore_errors=True)
    limit_at(place, float(mebibytes))
    chainrule()


if __name__ == "__main__":
    main(sys.argv[1:])

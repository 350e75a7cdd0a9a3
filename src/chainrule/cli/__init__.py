"""Command line: each command parses arguments, calls the room that does the work, and prints."""

from __future__ import annotations

import errno
import os
import sys

from chainrule.cli.foreign import import_elsewhere
from chainrule.cli.signals import Ended, ended_in_order
from chainrule.cli.streams import Escaping, install

UNSAVED = 74
"""Exit code: what was made could not be written."""
NO_THREAD = "can't start new thread"
"""Python's words, in a RuntimeError."""
NO_MEMORY = b"error: not enough memory\n"
LESS = "use smaller layers, smaller batches or less data"


def main() -> None:
    """Entry point: a user's mistake ends in one line on stderr and exit code 1 or 2."""
    with ended_in_order():
        # Before any import of NumPy, which loads OpenBLAS.
        from chainrule.core.blas import choose_kernel, limit_threads, read_cpuinfo

        choose_kernel(os.environ, read_cpuinfo())
        limit_threads(os.environ)
        import_elsewhere()
        try:
            out = install()
            out.written = False
            code = _run(out)
            out.flush()
            if out.lost and not code:
                code = _unprinted(out.lost)
        except MemoryError:  # not even enough to say which
            os.write(2, NO_MEMORY)
            code = 1
        sys.exit(code)


def _unprinted(error: OSError) -> int:
    """Exit code of a command whose result could not be printed; reported, unless no one reads."""
    from chainrule.cli.console import note

    if error.errno != errno.EPIPE:
        note(f"error: the result could not be printed: {error.strerror}")
    return 1 if error.errno == errno.EPIPE else UNSAVED


def _run(out: Escaping) -> int:
    """Exit code of the command. With --json an error is the one object, unless a result is."""
    from chainrule.cli.app import app
    from chainrule.cli.console import note, print_json
    from chainrule.core.errors import (
        ConfigError,
        DataError,
        DivergenceError,
        FolderInUseError,
        ModelFileError,
        SaveError,
    )

    codes: dict[type[Exception], int] = {
        ConfigError: 2,
        SaveError: UNSAVED,
        FolderInUseError: 75,
        DataError: 1,
        ModelFileError: 1,
        DivergenceError: 1,
        OSError: 1,
        MemoryError: 1,
    }
    try:
        app(prog_name="chainrule")
    except Ended as end:
        note(f"ended by {end.name}")
        return int(end.code or 0)
    except SystemExit as end:
        return int(end.code or 0)
    except tuple(codes) as error:
        words = str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:
            words = f"{error.filename}: {error.strerror}"
        if isinstance(error, MemoryError):
            words = f"not enough memory: {words or 'no more is given'}; {LESS}"
        message = " ".join(words.split())
        if "--json" in sys.argv and not out.written:
            print_json({"error": message})
        note(f"error: {message}")
        return next(code for kind, code in codes.items() if isinstance(error, kind))
    except RuntimeError as error:
        if NO_THREAD not in str(error):
            raise
        note("error: the system gives this process no more threads; raise its limit (ulimit -u)")
        return 1
    return 0

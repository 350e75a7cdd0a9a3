"""Command line: each command parses arguments, calls the room that does the work, and prints."""

from __future__ import annotations

import json
import os
import sys

from chainrule.core.blas import choose_kernel, read_cpuinfo


def main() -> None:
    """Entry point: a user's mistake ends in one line on stderr and exit code 1 or 2."""
    # Before any import of NumPy, which loads OpenBLAS.
    choose_kernel(os.environ, read_cpuinfo())
    from chainrule.cli.app import app
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
        SaveError: 74,
        FolderInUseError: 75,
        DataError: 1,
        ModelFileError: 1,
        DivergenceError: 1,
        OSError: 1,
    }
    try:
        app(prog_name="chainrule")
    except tuple(codes) as error:
        words = str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:
            words = f"{error.filename}: {error.strerror}"
        message = " ".join(words.split())
        if "--json" in sys.argv:
            print(json.dumps({"error": message}))
        print(f"error: {message}", file=sys.stderr)
        sys.exit(next(code for kind, code in codes.items() if isinstance(error, kind)))

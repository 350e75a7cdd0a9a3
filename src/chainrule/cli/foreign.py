"""Files of the current folder that a library would obey: none of them is read by a command.

The folder may be a stranger's. Matplotlib, when it is first imported, takes settings from a file
`matplotlibrc` there, whatever it is: a pipe of that name never ends.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

OBEYED = {"matplotlibrc": "chainrule.plots"}
"""File in the current folder -> the module whose import reads it."""


def import_elsewhere() -> None:
    """Imports each module for which there is such a file now, from its own folder.

    Call it at the start, before there are threads: the current folder is the whole process's.
    """
    for file, module in OBEYED.items():
        spec = find_spec(module) if os.path.lexists(file) and module not in sys.modules else None
        if spec and spec.origin:
            here = Path.cwd()
            os.chdir(Path(spec.origin).parent)
            try:
                import_module(module)
            finally:
                os.chdir(here)

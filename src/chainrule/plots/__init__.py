"""Plots of a run: learning curves, mistakes, calibration, first-layer weights.

Each function takes arrays and returns a matplotlib `Figure`, which shows itself in a notebook; only
`style.save` writes.
"""

import os
import sys
from contextlib import suppress


def _import_matplotlib() -> None:
    """Imports matplotlib, also where $MPLBACKEND names a backend that it does not know.

    No picture here needs one; whoever imports it at the same time still gets theirs.
    """
    named = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = named


if "matplotlib" not in sys.modules:
    _import_matplotlib()

"""Plots of a run: learning curves, mistakes, calibration, first-layer weights.

Each function takes arrays and returns a matplotlib `Figure`, which shows itself in a notebook; only
`save` writes.

    cr.plots.curves(history)        cr.plots.save(figure, "curves.png")
"""

import os
import sys
from contextlib import suppress
from importlib import import_module


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

HOMES = {
    "confusion": "confusion_matrix",
    "curves": "learning_curves",
    "detections": "detected_digits",
    "first_layer": "weights",
    "learning_rates": "lr_finder",
    "mistakes": "examples",
    "reliability": "reliability_diagram",
    "samples": "examples",
    "save": "style",
}
"""Public name -> the module it lives in."""

__all__ = ["confusion", "curves", "detections", "first_layer", "learning_rates", "mistakes"]
__all__ += ["reliability", "samples", "save"]


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module 'chainrule.plots' has no attribute {name!r}")
    value: object = getattr(import_module(f"chainrule.plots.{HOMES[name]}"), name)
    globals()[name] = value
    return value

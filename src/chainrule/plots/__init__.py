"""Pictures of a run: how it learned, what it gets wrong, and what its first layer looks for.

Each function takes arrays and returns a matplotlib `Figure`; only `save` writes.
"""

from __future__ import annotations

from chainrule.plots.classes import confusion
from chainrule.plots.examples import mistakes, samples
from chainrule.plots.learning import EpochRecord, curves
from chainrule.plots.paper import save
from chainrule.plots.weights import first_layer

__all__ = ["EpochRecord", "confusion", "curves", "first_layer", "mistakes", "samples", "save"]

"""Pictures of a run: how it learned, what it gets wrong, how sure it is, what it looks for.

Each function takes arrays and returns a matplotlib `Figure`; only `save` writes.
"""

from __future__ import annotations

from chainrule.plots.confusion import confusion
from chainrule.plots.curves import EpochRecord, curves
from chainrule.plots.detections import seen
from chainrule.plots.examples import mistakes, samples
from chainrule.plots.lr_finder import learning_rates
from chainrule.plots.reliability import reliability
from chainrule.plots.style import save
from chainrule.plots.weights import first_layer

__all__ = ["EpochRecord", "confusion", "curves", "first_layer", "learning_rates", "mistakes"]
__all__ += ["reliability", "samples", "save", "seen"]

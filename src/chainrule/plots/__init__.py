"""Plots of a run: learning curves, mistakes, calibration, first-layer weights.

Each function takes arrays and returns a matplotlib `Figure`; only `style.save` writes.
"""

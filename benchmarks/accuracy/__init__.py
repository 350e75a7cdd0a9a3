"""Accuracy benchmark: each recipe over seeds, beside its goals."""

"""Accuracy benchmark: each recipe over seeds, beside what it promises."""

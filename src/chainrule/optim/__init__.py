"""Optimisation: optimizers, learning-rate schedules, gradient clipping, EMA of the weights."""

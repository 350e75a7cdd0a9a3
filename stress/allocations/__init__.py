"""Allocations test: memory runs out at every point of a save and of a load."""

"""Sizes test: one file of each kind at its size cap, and one just above."""

"""Mutation testing with hand-written mutants; see `run`."""

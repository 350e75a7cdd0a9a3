"""Fuzzing of the readers: damaged files by the million, each to be accepted or refused."""

"""Runs: the run folder, resuming, replays, pictures, ensembles, processes."""

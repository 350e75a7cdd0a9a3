"""Runs: run folders, resuming, replays, pictures, ensembles, processes."""

"""Damaged files by the million: every reader must accept or refuse, and nothing else."""

"""Checkpoints with wrong values under right checksums."""

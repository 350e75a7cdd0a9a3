"""Training, killed again and again."""

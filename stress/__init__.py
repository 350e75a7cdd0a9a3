"""Stress tests: fuzzing, killed training, planted bugs, and the corpus of hostile files."""

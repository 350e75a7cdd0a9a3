"""Stress tests: fuzzing, killed training, mutation testing, and the corpus of hostile files."""

"""Peers of the benchmark, one module each, written as their own documentation advises."""

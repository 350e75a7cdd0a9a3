"""Benchmarks: speed beside the peers, accuracy over seeds, the service under load."""

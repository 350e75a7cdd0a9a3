"""Core utilities: arrays, lookup tables, random streams, threads, BLAS, files, errors."""

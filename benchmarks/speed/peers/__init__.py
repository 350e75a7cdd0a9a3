"""The other contenders of the benchmark, one module each, written as their own handbooks advise."""

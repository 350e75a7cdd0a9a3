"""The five articles, a module each: their numbers, claims and ablations."""

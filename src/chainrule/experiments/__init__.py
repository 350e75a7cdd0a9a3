"""Experiments: settings, recipes, quirks of the articles, and jobs ready to train."""

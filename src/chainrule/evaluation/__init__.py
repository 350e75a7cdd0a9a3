"""Evaluation: metrics, calibration, robustness, and how to tell two networks apart."""

"""Evaluation: metrics, calibration, robustness, and paired comparison of two networks."""

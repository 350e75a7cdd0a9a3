"""Monitoring: diagnostics, events and controls of a training run that is watched."""

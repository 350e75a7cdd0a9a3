"""Monitoring: probe, event log and control of a training run that is being watched."""

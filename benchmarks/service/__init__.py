"""Load test of the service: `make load`."""

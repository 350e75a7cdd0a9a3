"""Neural network: layers with backward under forward, losses, model files."""

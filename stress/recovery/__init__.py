"""Recovery test: killed, its newest checkpoints damaged, resumed, several times over."""

"""Training: the step, the loop over epochs, microbatches, checkpoints."""

"""Kill test of training: SIGKILL at random moments."""

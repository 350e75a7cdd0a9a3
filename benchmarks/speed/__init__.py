"""chainrule beside its peers: the same work, the same data, in one run, on this machine."""

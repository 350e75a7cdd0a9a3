"""Speed benchmark: chainrule beside its peers, same work, same data, one run, this machine."""

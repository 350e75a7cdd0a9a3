"""Predictions over HTTP, and the pages: an optional part, `pip install 'chainrule[serve]'`."""

"""HTTP service: predictions and pages; optional, `pip install 'chainrule[serve]'`."""

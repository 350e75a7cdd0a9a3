"""Pictures of a run: how it learned, what it gets wrong, how sure it is, what it looks for.

Each function takes arrays and returns a matplotlib `Figure`; only `style.save` writes.
"""

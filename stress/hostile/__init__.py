"""The service beside hostile clients: what others notice, and what one request can cost."""

"""The service asked by the HTTP clients of other languages and of the browser."""

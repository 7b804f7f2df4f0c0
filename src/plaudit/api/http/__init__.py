"""The HTTP layer: turns a request into a call, and a result into a response."""

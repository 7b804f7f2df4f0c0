"""The endpoints that take in events."""

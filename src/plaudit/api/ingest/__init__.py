"""The endpoints that accept events."""

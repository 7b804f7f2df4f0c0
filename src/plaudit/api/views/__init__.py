"""The types of responses."""

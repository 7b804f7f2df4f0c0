"""Ladders: rungs that members climb by earning a metric."""

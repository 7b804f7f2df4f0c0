"""Ladders: the rungs that members climb by what they earn of a metric."""

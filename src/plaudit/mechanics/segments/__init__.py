"""Segments: groups of members, by a list or by criteria."""

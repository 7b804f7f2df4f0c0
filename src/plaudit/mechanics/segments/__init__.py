"""Segments: groups of members, listed or defined by criteria."""

"""Imports of files of members, events and codes, and of organisations from another server."""

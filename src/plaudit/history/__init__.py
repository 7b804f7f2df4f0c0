"""The log decided again: to explain, simulate, verify and undo."""

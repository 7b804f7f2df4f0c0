"""What administrators and their servers call."""

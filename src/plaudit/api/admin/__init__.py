"""The operations for administrators and their servers."""

"""Background jobs of a server, all in one form (see chore)."""

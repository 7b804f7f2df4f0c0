"""Background jobs of a server, all of the same form (see `chore`)."""

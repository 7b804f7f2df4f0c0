"""What a server does in the background, in one form (see chore)."""

"""What every endpoint that takes in events shares; no HTTP."""

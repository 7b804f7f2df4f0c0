"""What operations of several generations of the API do: the same code, whichever operation calls it."""

"""What is done by hand, each a kind of event."""

"""Commands: orders for a member from a person or another system. Each command is a kind of event."""

"""Commands: what a person or another system orders for a member. Each is a kind of event."""

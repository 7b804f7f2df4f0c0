"""Deliver messages from the outbox to webhooks and browsers."""

"""Delivers messages to other systems: from the outbox to their webhooks."""

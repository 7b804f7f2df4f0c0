"""The pure core: what follows from an event. No I/O, no clock, no chance; nothing of the rest is imported here."""

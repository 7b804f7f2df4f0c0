"""The pure core: decides the results of an event. No I/O, no clock, no randomness; it imports nothing else of Plaudit."""

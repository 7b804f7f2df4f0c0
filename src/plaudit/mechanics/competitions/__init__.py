"""Competitions: contests by entries and a draw, or by a ranking with prizes for its ranks or for each round of a league."""

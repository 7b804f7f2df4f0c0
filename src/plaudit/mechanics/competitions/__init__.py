"""Competitions: contests by entries, with a draw; or by a ranking, with prizes for places, or for each round of a league."""

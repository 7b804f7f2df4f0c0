"""Streaks: how many days (weeks, months) in a row a member has done something."""

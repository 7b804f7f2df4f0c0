"""Streaks: how many days (or weeks, or months) in a row a member has been active."""

"""Plaudit: a loyalty and gamification engine that anyone can host."""

__version__ = "0.1.0"

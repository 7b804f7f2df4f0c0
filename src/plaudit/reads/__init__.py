"""Queries for administrators and members: SELECT only."""

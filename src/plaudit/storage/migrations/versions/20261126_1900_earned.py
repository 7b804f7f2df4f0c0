"""Exclude refunds and received transfers from earned points; remove erased members from leaderboards and segments."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1900"
down_revision = "20261126_1815"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

"""Deliveries are taken by turns, and conditions are looked at by themselves."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1940"
down_revision = "20261126_1930"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

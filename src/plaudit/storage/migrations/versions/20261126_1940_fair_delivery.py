"""Deliver to webhooks in turn, and check delivery conditions separately."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1940"
down_revision = "20261126_1930"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

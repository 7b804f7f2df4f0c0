"""Number messages by their bucket's log, so that a cursor stays valid after a restore into another cluster."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1815"
down_revision = "20261126_1800"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

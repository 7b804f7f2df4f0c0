"""Messages are numbered by what their bucket's lock orders, so that a cursor outlives the cluster."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1815"
down_revision = "20261126_1800"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

"""What members have earned, without what was given back or sent by others; and erased members on no board."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1900"
down_revision = "20261126_1815"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

"""The daily totals of what was booked before there were any."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1800"
down_revision = "20261121_1100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

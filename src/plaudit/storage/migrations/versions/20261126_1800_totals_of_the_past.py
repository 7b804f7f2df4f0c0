"""Fill the daily totals with the transactions that are older than the table."""

from plaudit.storage.migrate import run_sql

revision = "20261126_1800"
down_revision = "20261121_1100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)

"""Create the first schema: organisations, documents, members, the ledger, the log, scarce resources, workers."""

from plaudit.storage.migrate import run_sql

revision = "20261120_2200"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql(__file__)
